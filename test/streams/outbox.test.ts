import { expect, test } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { Outbox } from '../../streams/outbox.ts'
import { Block } from '../../streams/packing.ts'

const topology = fraud.topology(3)
const nothing = (): undefined => undefined

function createOutbox(): Outbox {
  const counts = { records: 0, rejected: 0, deleted: 0, late: 0, duplicates: 0 }
  const next = topology.intakeNext
  return new Outbox({ topology, channel: 0, next, counts, timer: nothing, forget: nothing, clock: () => 0 })
}

/** What the next commit would append, as `partition: kind@watermark`. */
function taken(outbox: Outbox): string[] {
  return outbox.take().flatMap(({ partition, records }) =>
    records.flatMap(({ value }) => {
      if (!(value instanceof Block)) throw new Error('a stage topic holds blocks')
      return value.entries.map(({ kind, watermarkMs }) => `${partition}: ${kind}@${watermarkMs}`)
    }),
  )
}

test('nothing is announced before event time is known', () => {
  const outbox = createOutbox()
  outbox.announce()
  expect(taken(outbox)).toEqual([])
})

test('idle partitions hear how far event time has come each time it has advanced enough, and are told once', () => {
  const outbox = createOutbox()
  const everyMs = topology.announceEveryMs
  outbox.watermarkMs = 1_000
  outbox.announce()
  outbox.announce()
  expect(taken(outbox)).toEqual([0, 1, 2].map((partition) => `${partition}: $watermark@1000`))
  outbox.watermarkMs = 999 + everyMs
  outbox.announce()
  expect(taken(outbox)).toEqual([])
  outbox.watermarkMs = 1_000 + everyMs
  outbox.announce()
  expect(taken(outbox)).toHaveLength(3)
})

test('what was announced before a restart is not announced again', () => {
  const before = createOutbox()
  before.watermarkMs = 5_000
  before.announce()
  const after = createOutbox()
  after.restoreAnnounced(JSON.parse(JSON.stringify(before.announcedMs())))
  after.watermarkMs = 5_000
  after.announce()
  expect(taken(after)).toEqual([])
})

test('only next stages are sent to with a watermark; what goes back goes by feedback, without one', () => {
  const outbox = createOutbox()
  const [first, second] = topology.stages
  outbox.watermarkMs = 7
  outbox.to(first!.name, 'payment', 'c1', 5, {}, null)
  expect(() => outbox.to(second!.name, 'payment', 't1', 5, {}, null)).toThrow(`"${second!.name}", which is no \`next\``)
  outbox.feedback(second!.name, 'label', 't1', 5, {})
  expect(taken(outbox).map((entry) => entry.split(': ')[1])).toEqual(['payment@7', 'label@-Infinity'])
})
