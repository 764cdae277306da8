import { describe, expect, test } from 'vitest'
import { parseDurationMs } from '../../processors/duration.ts'
import { compileFeatures } from '../../processors/features/compile.ts'
import {
  compute,
  count,
  derive,
  type FeatureDeclaration,
  mean,
  ratio,
  sinceLast,
  value,
} from '../../processors/features/declare.ts'
import { nestedWindows } from '../../processors/features/hops.ts'

const DAY_MS = 86_400_000
const compile = (...features: FeatureDeclaration[]) => compileFeatures(features, { mainKind: 'payment' })

describe('declared features', () => {
  test('have readable names, and are computed from the event, its entities and one another', () => {
    const set = compile(
      value('amount'),
      compute<{ eventTime: number }>('night', (event) => (event.eventTime % DAY_MS < DAY_MS / 4 ? 1 : 0)),
      mean('amount').by('customerId').over('30 d'),
      count().where('declined').by('customerId').over('24 h').as('declines'),
      ratio('fraud').of('label').by('terminalId').over('7 d'),
      mean('amount').by('customerId').halfLife('7 d'),
      derive('amountOverMean', ['amount', 'customerId.mean.amount.30d'], (amount, usual) => amount / usual),
    )
    expect(set.names).toEqual([
      'amount',
      'night',
      'customerId.mean.amount.30d',
      'declines',
      'terminalId.ratio.fraud.label.7d',
      'customerId.mean.amount.halfLife.7d',
      'amountOverMean',
    ])
    expect(set.entities.map((plan) => plan.keyField)).toEqual(['customerId', 'terminalId'])
    const vector = new Float64Array(set.names.length)
    set.computeEvent({ amount: 50, eventTime: 3_600_000 }, vector)
    vector[2] = 25
    set.computeDerived(vector)
    expect([vector[0], vector[1], vector[6]]).toEqual([50, 1, 2])
  })

  test('change their version with the declaration', () => {
    const version = (size: string) => compile(count().by('customerId').over(size).as('n')).version
    expect(version('24 h')).toBe(version('24 h'))
    expect(version('24 h')).not.toBe(version('7 d'))
  })

  test.each([
    ['no entity', () => compile(count().over('1 h')), 'names no entity'],
    ['no window', () => compile(count().by('c')), 'has no window'],
    ['a name twice', () => compile(value('amount'), value('amount')), "called 'amount'"],
    ['an unknown input', () => compile(derive('d', ['x'], (x) => x)), "derived from 'x'"],
    ['a window for sinceLast', () => compile(sinceLast().by('c').over('1 h')), 'takes no window'],
    ['a window below a minute', () => compile(count().by('c').over('10 s')), 'shorter than one minute'],
    ['a forbidden field', () => compile(mean('__proto__').by('c').over('1 h')), '__proto__'],
    ['no duration', () => compile(count().by('c').over('soon')), "'soon' is not a duration"],
  ])('are refused with %s', (_, declare, text) => {
    expect(declare).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(text) }))
  })

  test('have nested hops of at most a sixtieth of their window', () => {
    const sizes = ['30 d', '1 min', '24 h', '1 h', '7 d'].map(parseDurationMs)
    expect(nestedWindows(sizes).map((w) => w.hopMs)).toEqual(
      ['1 s', '1 min', '20 min', '2 h', '12 h'].map(parseDurationMs),
    )
  })
})
