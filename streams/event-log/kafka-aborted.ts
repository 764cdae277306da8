import { createRequire } from 'node:module'
import type { KafkaMessage } from 'kafkajs'

/** A message as kafkajs decodes it, before it leaves out what readers must not see. */
export interface DecodedMessage extends Pick<KafkaMessage, 'key' | 'offset'> {
  isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}

/** One partition of a fetch answer. */
export interface DecodedPartition {
  /** Where committed records end; -1: not known. */
  readonly lastStableOffset?: string
  highWatermark?: string
  readonly messages: readonly DecodedMessage[]
  /** Transactions that were aborted and reach into these messages, in the order in which they ended. */
  abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[] | null
}

/**
 * Marks the records of aborted transactions as control records, which kafkajs shows to nobody, while it counts their
 * offsets. Source: Kafka's own consumer (CompletedFetch.nextFetchedRecord): from a transaction's first offset on a
 * producer's records are aborted, until its abort marker.
 */
export function hideAborted(partition: DecodedPartition): void {
  const aborted = [...(partition.abortedTransactions ?? [])].sort(
    (a, b) => Number(a.firstOffset) - Number(b.firstOffset),
  )
  if (aborted.length === 0) return
  partition.abortedTransactions = []
  const open = new Set<string>()
  let begun = 0
  for (const message of partition.messages) {
    const { producerId, inTransaction } = message.batchContext ?? NOT_IN_BATCH
    while (begun < aborted.length && Number(aborted[begun]!.firstOffset) <= Number(message.offset)) {
      open.add(aborted[begun]!.producerId)
      begun += 1
    }
    if (message.isControlRecord) {
      if (message.key?.readInt16BE(2) === ABORT) open.delete(producerId)
    } else if (inTransaction && open.has(producerId)) message.isControlRecord = true
  }
}

/** Kind of a control record; the other is 1, commit. */
const ABORT = 0
const NOT_IN_BATCH: DecodedMessage['batchContext'] = { producerId: '-1', inTransaction: false }

interface FetchAnswer {
  readonly responses: readonly { readonly partitions: readonly DecodedPartition[] }[]
}
interface FetchResponse {
  decode: ((bytes: Buffer) => Promise<FetchAnswer>) & { readonly hidesAborted?: true }
}

const require = createRequire(import.meta.url)
/** From 4 on fetch answers tell of aborted transactions; kafkajs 2.2.4 knows 11 versions and takes the newest that the broker has. */
const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11]

/**
 * Mends read_committed in kafkajs 2.2.4, which takes the aborted transactions of an answer to be sorted by first offset
 * (they are sorted by end), and opens one per record at most: where transactions overlap in a partition, as the tasks'
 * do, aborted records are read as if they were committed. The high watermark of a batch becomes the end of the committed
 * records, so that nobody takes an open transaction for a backlog. This reaches below kafkajs's public surface, once per
 * process.
 */
export function mendReadCommitted(): void {
  for (const version of VERSIONS) {
    const response = require(`kafkajs/src/protocol/requests/fetch/v${version}/response`) as FetchResponse
    const { decode } = response
    if (decode.hidesAborted === true) continue
    const mended = async (bytes: Buffer) => {
      const answer = await decode(bytes)
      for (const { partitions } of answer.responses) {
        for (const partition of partitions) {
          hideAborted(partition)
          const { lastStableOffset = '-1' } = partition
          if (lastStableOffset !== '-1') partition.highWatermark = lastStableOffset
        }
      }
      return answer
    }
    response.decode = Object.assign(mended, { hidesAborted: true } as const)
  }
}
