import { Kafka, logLevel } from 'kafkajs'
import type { LogReader, ReadRecord } from './log-reader.ts'

/** How long a partition may give nothing before its end, until the reader says that it cannot get there. */
const SILENCE_MS = 30_000

/**
 * Reads topics of a Kafka cluster by kafkajs, with read_committed and a group of its own that commits nothing: records up
 * to the last stable offset at the moment of the call.
 */
export function openKafkaReader(brokers: readonly string[]): LogReader {
  const kafka = new Kafka({ clientId: 'verifier', brokers: [...brokers], logLevel: logLevel.ERROR })
  const admin = kafka.admin()
  let reads = 0

  async function endsOf(topic: string): Promise<Map<number, bigint>> {
    await admin.connect()
    const existing = await admin.listTopics()
    if (!existing.includes(topic)) return new Map()
    const offsets = await admin.fetchTopicOffsets(topic)
    return new Map(
      offsets.filter(({ low, high }) => low !== high).map(({ partition, high }) => [partition, BigInt(high)]),
    )
  }

  return {
    async read(topic) {
      const ends = await endsOf(topic)
      const byPartition = new Map<number, ReadRecord[]>([...ends.keys()].map((partition) => [partition, []]))
      if (ends.size === 0) return []
      const open = new Set(ends.keys())
      const consumer = kafka.consumer({
        groupId: `verifier-${process.pid}-${Date.now()}-${++reads}`,
        maxWaitTimeInMs: 100,
      })
      try {
        await consumer.connect()
        await consumer.subscribe({ topic, fromBeginning: true })
        await new Promise<void>((resolve, reject) => {
          let silence = setTimeout(() => reject(tooShort()), SILENCE_MS)
          const tooShort = (): Error =>
            new Error(`${topic} ends before its last stable offset in ${[...open].join(', ')}`)
          const closed = (partition: number, next: bigint): void => {
            clearTimeout(silence)
            silence = setTimeout(() => reject(tooShort()), SILENCE_MS)
            if (next >= ends.get(partition)!) open.delete(partition)
            if (open.size > 0) return
            clearTimeout(silence)
            resolve()
          }
          // Control records move the position, too, but come as no message: the batch says how far it reached.
          consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
            if (ends.has(payload.partition)) closed(payload.partition, BigInt(payload.lastOffset) + 1n)
          })
          consumer
            .run({
              autoCommit: false,
              eachBatchAutoResolve: true,
              eachBatch: async ({ batch }) => {
                const records = byPartition.get(batch.partition)
                for (const { offset, key, value, headers, timestamp } of batch.messages) {
                  if (BigInt(offset) >= (ends.get(batch.partition) ?? 0n)) continue
                  records?.push({
                    topic,
                    partition: batch.partition,
                    offset: BigInt(offset),
                    key,
                    value,
                    headers: Object.fromEntries(
                      Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]),
                    ),
                    timestampMs: Number(timestamp),
                  })
                }
              },
            })
            .catch(reject)
        })
      } finally {
        await consumer.disconnect()
      }
      return [...byPartition.entries()].sort(([a], [b]) => a - b).flatMap(([, records]) => records)
    },
    close: () => admin.disconnect(),
  }
}
