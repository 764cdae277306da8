import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileRules, type Rule, type RuleAction, raisedBy, rule } from '../../processors/rules.ts'
import { defineScenario } from '../../scenarios/define-scenario.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { fraudRules } from '../../scenarios/fraud/rules.ts'

const NAMES = ['amount', 'customerId.count.1min', 'deviceId.distinct.customerId.24h']
const vector = (...values: number[]): Float64Array => Float64Array.from(values)
const many = rule('many', 'challenge', ['deviceId.distinct.customerId.24h'], ([cards]) => cards >= 5)
const foreign = rule(
  'foreign',
  'review',
  ['amount'],
  ([amount], event: { readonly country?: string }) => amount > 100 && event.country === 'XX',
  3,
)
const verdicts = ['allow', 'review', 'challenge', 'block'] as const

describe('a rule', () => {
  const set = compileRules([many, foreign], NAMES)

  it('reads its features by name and the fields of the event', () => {
    expect(set.check({}, vector(0, 0, 5))).toEqual([many])
    expect(set.check({ country: 'XX' }, vector(101, 0, 4))).toEqual([foreign])
    expect(set.check({ country: 'XX' }, vector(101, 0, 9))).toEqual([many, foreign])
    expect(set.check({ country: 'FR' }, vector(101, 0, 4))).toEqual([])
  })

  it('does not apply where its feature is missing', () => {
    expect(set.check({}, vector(0, 0, Number.NaN))).toEqual([])
  })

  it('names the feature that is not declared, and those that are', () => {
    const wrong = rule('typo', 'block', ['deviceId.distinct.customer.24h'], () => true)
    const compile = (): unknown => compileRules([wrong], NAMES)
    expect(compile).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/"typo".*"deviceId\.distinct\.customer\.24h"/),
        hint: 'Declared are: deviceId.distinct.customerId.24h.',
      }),
    )
    expect(() => defineScenario({ ...fraud, rules: [wrong] })).toThrow('"typo"')
  })

  it('has a name of its own and a version from 1 on', () => {
    expect(() => compileRules([many, many], NAMES)).toThrow('two rules are called "many"')
    expect(() => compileRules([{ ...many, version: 0 }], NAMES)).toThrow('version 0')
  })

  it('raises a decision and never makes it milder', () => {
    const action = fc.constantFrom<RuleAction>('review', 'challenge', 'block')
    const hits = fc.array(action.map((each): Rule => ({ ...many, action: each })))
    fc.assert(
      fc.property(hits, fc.constantFrom(...verdicts), (rules, decision) => {
        const raised = raisedBy(rules, decision)
        const severities = [decision, ...rules.map((each) => each.action)].map((each) => verdicts.indexOf(each))
        expect(verdicts.indexOf(raised)).toBe(Math.max(...severities))
      }),
    )
  })
})

describe('the fraud rules', () => {
  const { names } = fraud.featureSet
  const hitsOf = (features: Readonly<Record<string, number>>): string[] => {
    const row = new Float64Array(names.length).fill(Number.NaN)
    for (const [name, value] of Object.entries(features)) row[names.indexOf(name)] = value
    return fraud.ruleSet.check({}, row).map(({ name }) => name)
  }

  it.each([
    ['customer-velocity', { 'customerId.count.1min': 3 }, { 'customerId.count.1min': 2 }],
    ['device-farm', { 'deviceId.distinct.customerId.24h': 4 }, { 'deviceId.distinct.customerId.24h': 3 }],
    [
      'terminal-declines',
      { 'terminalId.count.1h': 20, 'terminalId.ratio.declined.1h': 0.9 },
      { 'terminalId.count.1h': 3, 'terminalId.ratio.declined.1h': 1 },
    ],
    [
      'impossible-travel',
      { 'customerId.speed': 5_000, 'customerId.sinceLast': 600 },
      // 1.4 km in the same second: two shops of one street, and a clock.
      { 'customerId.speed': 5_000, 'customerId.sinceLast': 0 },
    ],
  ])('%s applies and does not apply', (name, applies, stays) => {
    expect(hitsOf(applies)).toEqual([name])
    expect(hitsOf(stays)).toEqual([])
  })

  it('say nothing where nothing is known', () => {
    expect(hitsOf({})).toEqual([])
    expect(fraudRules.length).toBeGreaterThan(3)
  })
})
