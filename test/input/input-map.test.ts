import { describe, expect, it } from 'vitest'
import { columnsOf, parseInputMap } from '../../streams/input/input-map.ts'
import { createPendingLabels } from '../../streams/input/pending-labels.ts'
import { compileTime } from '../../streams/input/row-time.ts'

const parse = (map: unknown) => parseInputMap(JSON.stringify(map), 'map.json')
const base = { event: 'payment', fields: { paymentId: 'id' } }

describe('a map', () => {
  it('says which columns it reads', () => {
    const map = parse({
      ...base,
      time: { column: 't', unit: 's', origin: '2018-04-01T00:00:00Z' },
      fields: { a: 'x', b: { columns: ['y', 'z'], join: '-' }, c: { column: 'w', split: ' ' } },
      label: { column: 'fraud', delay: '7d' },
    })
    expect(columnsOf(map)).toEqual(['t', 'x', 'y', 'z', 'w', 'fraud'])
    expect(map.label).toEqual({ column: 'fraud', delayMs: 604_800_000, source: 'analyst' })
  })

  it.each([
    ['not JSON', '{"event"'],
    ['event', JSON.stringify({ fields: {} })],
    ['time.unit', JSON.stringify({ ...base, time: { column: 't', unit: 'seconds' } })],
    ['time.origin', JSON.stringify({ ...base, time: { column: 't', unit: 's', origin: 'April' } })],
    ['label.delay', JSON.stringify({ ...base, label: { column: 'x', delay: 'soon' } })],
    ['labels', JSON.stringify({ ...base, labels: {} })],
  ])('that is wrong in %s is MAP_INVALID', (where, text) => {
    expect(() => parseInputMap(text, 'map.json')).toThrow(
      expect.objectContaining({ code: 'MAP_INVALID', message: expect.stringContaining(where) }),
    )
  })
})

describe('times', () => {
  const time = (unit: 's' | 'ms' | 'iso' | 'date', more: object = {}) =>
    compileTime({ column: 't', unit, at: 'start', synthetic: false, ...more })

  it.each([
    [
      'seconds from an origin',
      time('s', { origin: '2018-04-01T00:00:00Z' })('31.5'),
      Date.UTC(2018, 3, 1, 0, 0, 31, 500),
    ],
    ['milliseconds', time('ms')(1234), 1234],
    ['a date and time with a zone', time('iso')('2020-02-29T01:00:00+01:00'), Date.UTC(2020, 1, 29)],
    ['a date and time without one is UTC', time('iso')('2020-02-29 01:00:00'), Date.UTC(2020, 1, 29, 1)],
    ['a day', time('date')('2020-02-29'), Date.UTC(2020, 1, 29)],
    ['a day’s end', time('date', { at: 'end' })('2020-02-29'), Date.UTC(2020, 2, 1) - 1],
  ])('%s', (_, actual, expected) => {
    expect(actual).toBe(expected)
  })

  it.each([time('date')('2026-02-30'), time('date')('today'), time('s')('1 s'), time('s')(''), time('iso')(5)])(
    '%# is none',
    (ms) => {
      expect(ms).toBeNaN()
    },
  )
})

it('labels come by due time, then in the order added', () => {
  const labels = createPendingLabels()
  const due = [5, 3, 5, 4, 3, 9, 1]
  due.forEach((ms, i) => {
    labels.add(ms, `${i}`, false)
  })
  const taken = Array.from({ length: due.length }, () => labels.take().id)
  expect(taken).toEqual(['6', '1', '4', '3', '0', '2', '5'])
  expect([labels.size, labels.nextMs]).toEqual([0, Number.POSITIVE_INFINITY])
})
