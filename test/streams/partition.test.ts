import { expect, test } from 'vitest'
import { murmur2, partitionOf } from '../../streams/partition.ts'

/** The vectors of Kafka's own test (org.apache.kafka.common.utils.UtilsTest#testMurmur2). */
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('hashes %s as Kafka does', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash)
})

test('the partition of a key is the hash without its sign, modulo the partitions', () => {
  expect(partitionOf('foobar', 7)).toBe((-790332482 & 0x7fffffff) % 7)
  expect(partitionOf(Buffer.from('foobar'), 7)).toBe(partitionOf('foobar', 7))
  expect(partitionOf('foobar', 1)).toBe(0)
})
