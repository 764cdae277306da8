import type { Admin } from 'kafkajs'
import { expect, test } from 'vitest'
import { KafkaOffsets } from '../../streams/event-log/kafka-offsets.ts'
import type { KafkaTopics } from '../../streams/event-log/kafka-topics.ts'

/** Answers one after the other; the client leaves out partitions that have no leader at the moment. */
function offsetsFrom(...answers: readonly { readonly partition: number; readonly offset: string }[][]): KafkaOffsets {
  const left = [...answers]
  const admin: Pick<Admin, 'fetchOffsets'> = {
    fetchOffsets: async () => [
      { topic: 'scores', partitions: left.shift()!.map((one) => ({ ...one, metadata: null })) },
    ],
  }
  return new KafkaOffsets(async () => admin as Admin, {} as KafkaTopics)
}

test('a position that the brokers do not tell for a moment is asked for again, not taken for none', async () => {
  const offsets = offsetsFrom([], [{ partition: 0, offset: '3' }], [{ partition: 1, offset: '42' }])
  expect(await offsets.committed('rheo-fraud', 'scores', 1)).toBe(42n)
})

test('a group that has committed nothing has no position', async () => {
  const offsets = offsetsFrom([{ partition: 1, offset: '-1' }])
  expect(await offsets.committed('rheo-fraud', 'scores', 1)).toBeUndefined()
})
