import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { checkTopology } from '../../streams/check-topology.ts'
import type { Stage, Topology } from '../../streams/topology.ts'

const whole = fraud.topology(1)

function topologyOf(next: Readonly<Record<string, readonly string[]>>, intakeNext = [Object.keys(next)[0]!]): Topology {
  const stages = Object.entries(next).map(([name, to]): Stage => ({ ...whole.stages[0]!, name, topic: name, next: to }))
  return { ...whole, stages, intakeNext }
}

describe('a topology', () => {
  it.each<[string, Topology, RegExp]>([
    ['goes on to itself', topologyOf({ a: ['b'], b: ['b'] }), /"b" goes on to itself/],
    ['goes round', topologyOf({ a: ['b'], b: ['c'], c: ['a'] }), /in a circle: a → b → c → a/],
    ['goes back', topologyOf({ a: ['c'], b: [], c: ['b'] }), /"c" goes on to "b", which stands before it/],
    ['goes nowhere', topologyOf({ a: ['z'] }), /"a" goes on to "z", which is no stage/],
    ['begins nowhere', topologyOf({ a: [] }, ['z']), /"intake" goes on to "z"/],
    ['has a stage that nothing feeds', topologyOf({ a: [], b: [] }), /nothing goes on to the stage "b"/],
    ['has two stages of one name', { ...whole, stages: [...whole.stages, whole.stages[0]!] }, /one name/],
    [
      'has two stages on one topic',
      { ...whole, stages: whole.stages.map((stage) => ({ ...stage, topic: 'shared' })) },
      /read one topic/,
    ],
  ])('that %s is refused', (_, topology, message) => {
    expect(() => checkTopology(topology)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(() => checkTopology(topology)).toThrow(message)
  })

  it('that flows forward is taken; one edge back, and it is refused', () => {
    expect(checkTopology(whole)).toBeUndefined()
    const edges = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 20 })
    fc.assert(
      fc.property(edges, fc.nat(7), fc.nat(7), (pairs, one, other) => {
        const next = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`s${i}`, i < 7 ? [`s${i + 1}`] : []]))
        for (const [a, b] of pairs) if (a < b) next[`s${a}`] = [...new Set([...next[`s${a}`]!, `s${b}`])]
        expect(checkTopology(topologyOf(next))).toBeUndefined()
        const [early, late] = [Math.min(one, other), Math.max(one, other)]
        next[`s${late}`] = [...next[`s${late}`]!, `s${early}`]
        expect(() => checkTopology(topologyOf(next))).toThrow(/circle|itself/)
      }),
    )
  })
})
