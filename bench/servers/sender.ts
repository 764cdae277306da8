import { Kafka, logLevel, type Producer } from 'kafkajs'
import type { Due } from './payment-source.ts'

/** A producer as a user's own would be: kafkajs, idempotent, acks of all replicas. For brokers that stay up. */
export async function openSender(brokers: readonly string[]): Promise<Producer> {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] ??= '1'
  const kafka = new Kafka({ clientId: 'bench', brokers: [...brokers], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
  await producer.connect()
  return producer
}

/** Sends what is due; returns when the brokers have it. */
export async function appendDue(sender: Producer, { appends }: Due): Promise<void> {
  const topics = new Map<string, { partition: number; key: Buffer; value: Buffer; timestamp: string }[]>()
  for (const { topic, partition, records } of appends) {
    const messages = topics.get(topic) ?? []
    topics.set(topic, messages)
    for (const { key, value, timestampMs } of records) {
      const bytes = { key: Buffer.from(key!), value: Buffer.from(value as Uint8Array) }
      messages.push({ partition, ...bytes, timestamp: String(timestampMs) })
    }
  }
  if (topics.size === 0) return
  await sender.sendBatch({ acks: -1, topicMessages: [...topics].map(([topic, messages]) => ({ topic, messages })) })
}
