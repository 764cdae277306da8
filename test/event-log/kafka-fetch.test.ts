import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AbortedTransaction, committedOf } from '../../streams/event-log/kafka-fetch.ts'

interface Step {
  readonly producer: number
  readonly what: 'record' | 'plain' | 'commit' | 'abort'
}

const step: fc.Arbitrary<Step> = fc.record({
  producer: fc.nat({ max: 3 }),
  what: fc.constantFrom('record', 'record', 'record', 'plain', 'commit', 'abort'),
})

interface Batch {
  readonly lastOffset: number
  readonly producerId: bigint
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly isAbort: boolean
}
interface Partition {
  readonly batches: readonly Batch[]
  readonly aborted: readonly AbortedTransaction[]
  readonly committed: readonly number[]
}

/** A partition of one record per batch as its broker keeps it, and what it tells of aborted transactions to who reads from `from` on. */
function partitionOf(steps: readonly Step[], from: number): Partition {
  const batches: Batch[] = []
  const begun = new Map<number, number[]>()
  const aborted: (AbortedTransaction & { lastOffset: number })[] = []
  const committed: number[] = []
  for (const { producer, what } of steps) {
    const offset = batches.length
    const open = begun.get(producer)
    const isControl = what === 'commit' || what === 'abort'
    if (isControl && open === undefined) continue
    batches.push({
      lastOffset: offset,
      producerId: BigInt(producer),
      isTransactional: what !== 'plain',
      isControl,
      isAbort: what === 'abort',
    })
    if (what === 'plain') committed.push(offset)
    else if (what === 'record') begun.set(producer, [...(open ?? []), offset])
    else {
      if (what === 'commit') committed.push(...open!)
      else aborted.push({ producerId: BigInt(producer), firstOffset: open![0]!, lastOffset: offset })
      begun.delete(producer)
    }
  }
  // Only up to the first record of a transaction that is still open.
  const end = Math.min(batches.length, ...[...begun.values()].map((open) => open[0]!))
  return {
    batches: batches.slice(from, end),
    // In the order in which they ended, those that reach into what is read.
    aborted: aborted.filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < end),
    committed: committed.filter((offset) => offset >= from && offset < end).sort((a, b) => a - b),
  }
}

test('what is left to read is what was committed, however transactions overlap and wherever reading begins', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat({ max: 30 }), (steps, from) => {
      const { batches, aborted, committed } = partitionOf(steps, from)
      expect(committedOf(batches, aborted).map(({ lastOffset }) => lastOffset)).toEqual(committed)
    }),
    { numRuns: 2_000 },
  )
})
