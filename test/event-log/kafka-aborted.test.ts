import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DecodedMessage, type DecodedPartition, hideAborted } from '../../streams/event-log/kafka-aborted.ts'

interface Step {
  readonly producer: number
  readonly what: 'record' | 'plain' | 'commit' | 'abort'
}

const step: fc.Arbitrary<Step> = fc.record({
  producer: fc.nat({ max: 3 }),
  what: fc.constantFrom('record', 'record', 'record', 'plain', 'commit', 'abort'),
})

/** A partition as its broker keeps it, and what it tells of aborted transactions to who reads from `from` on. */
function partitionOf(steps: readonly Step[], from: number): { partition: DecodedPartition; committed: number[] } {
  const messages: DecodedMessage[] = []
  const begun = new Map<number, number[]>()
  const aborted: { producerId: string; firstOffset: string; lastOffset: number }[] = []
  const committed: number[] = []
  for (const { producer, what } of steps) {
    const offset = messages.length
    const open = begun.get(producer)
    if ((what === 'commit' || what === 'abort') && open === undefined) continue
    const kind = Buffer.from([0, 0, 0, what === 'abort' ? 0 : 1])
    messages.push({
      offset: `${offset}`,
      key: what === 'commit' || what === 'abort' ? kind : null,
      isControlRecord: what === 'commit' || what === 'abort',
      batchContext: { producerId: `${producer}`, inTransaction: what !== 'plain' },
    })
    if (what === 'plain') committed.push(offset)
    else if (what === 'record') begun.set(producer, [...(open ?? []), offset])
    else {
      if (what === 'commit') committed.push(...open!)
      else aborted.push({ producerId: `${producer}`, firstOffset: `${open![0]}`, lastOffset: offset })
      begun.delete(producer)
    }
  }
  // Only up to the first record of a transaction that is still open.
  const end = Math.min(messages.length, ...[...begun.values()].map((open) => open[0]!))
  return {
    partition: {
      messages: messages.slice(from, end),
      // In the order in which they ended, those that reach into what is read.
      abortedTransactions: aborted.filter(
        ({ firstOffset, lastOffset }) => lastOffset >= from && Number(firstOffset) < end,
      ),
    },
    committed: committed.filter((offset) => offset >= from && offset < end).sort((a, b) => a - b),
  }
}

test('what is left to read is what was committed, however transactions overlap and wherever reading begins', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat({ max: 30 }), (steps, from) => {
      const { partition, committed } = partitionOf(steps, from)
      hideAborted(partition)
      const seen = partition.messages.filter(({ isControlRecord }) => !isControlRecord)
      expect(seen.map(({ offset }) => Number(offset))).toEqual(committed)
    }),
    { numRuns: 2_000 },
  )
})
