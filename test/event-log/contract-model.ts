import fc from 'fast-check'
import { expect, test } from 'vitest'
import { codeOf, type LogUnderTest, readAll, record, text, topicSpec } from './harness.ts'

type Action =
  | { readonly kind: 'append' | 'commit'; readonly task: number; readonly partition: number; readonly count: number }
  | { readonly kind: 'acquire'; readonly task: number }
  | { readonly kind: 'truncate'; readonly partition: number; readonly count: number }
  | { readonly kind: 'together'; readonly fails: boolean; readonly actions: readonly Action[] }

const task = fc.nat({ max: 1 })
const partition = fc.nat({ max: 1 })
const write = fc.record({
  kind: fc.constantFrom('append' as const, 'commit' as const),
  task,
  partition,
  count: fc.nat({ max: 3 }),
})
const truncate = fc.record({ kind: fc.constant('truncate' as const), partition, count: fc.nat({ max: 3 }) })
const acquire = fc.record({ kind: fc.constant('acquire' as const), task })
const together = fc.record({
  kind: fc.constant('together' as const),
  fails: fc.boolean(),
  actions: fc.array(fc.oneof(write, truncate), { maxLength: 5 }),
})
const action: fc.Arbitrary<Action> = fc.oneof(write, truncate, acquire, together)

/** The empty append asks for the end of a partition in which what came before it is not committed yet. */
const EMPTY_BEHIND_OTHERS: Action[] = [
  {
    kind: 'together',
    fails: false,
    actions: [1, 0].map((count) => ({ kind: 'append', task: 0, partition: 1, count })),
  },
]

/** What a log is, in the most obvious words: values per partition, a position and an epoch per task. */
interface Model {
  held: [string[], string[]]
  positions: [bigint | undefined, bigint | undefined]
  written: number
}

/** Contract, fourth part: any sequence of calls gives what the naive model gives. */
export function describeModel(under: () => LogUnderTest): void {
  test('any sequence of appends, commits, takeovers, truncations and failures matches the naive model', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        run += 1
        await playAll(under(), `model-${run}`, actions)
      }),
      { numRuns: under().together === 'per task' ? 12 : 60, examples: [[EMPTY_BEHIND_OTHERS]] },
    )
  })
}

async function playAll({ log, together }: LogUnderTest, topic: string, actions: readonly Action[]): Promise<void> {
  await log.ensureTopics([topicSpec({ name: topic })])
  const writers = [await log.acquire(topic, '0'), await log.acquire(topic, '1')]
  const former = [...writers]
  const model: Model = { held: [[], []], positions: [undefined, undefined], written: 0 }

  const play = async (step: Action, state: Model): Promise<void> => {
    switch (step.kind) {
      case 'append':
      case 'commit': {
        const added = Array.from({ length: step.count }, () => `${++state.written}`)
        const appends = [{ topic, partition: step.partition, records: added.map((value) => record(value)) }]
        if (step.kind === 'append') await log.append(appends)
        else {
          const next = BigInt(state.written)
          const positions = [{ topic, partition: step.task, next }]
          if (former[step.task] !== writers[step.task]) {
            expect(await codeOf(() => former[step.task]!.commit({ appends, positions }))).toBe('FENCED')
          }
          await writers[step.task]!.commit({ appends, positions })
          state.positions[step.task as 0 | 1] = next
        }
        state.held[step.partition as 0 | 1].push(...added)
        return
      }
      case 'acquire':
        former[step.task] = writers[step.task]!
        writers[step.task] = await log.acquire(topic, `${step.task}`)
        return
      case 'truncate': {
        const held = await readAll(log, topic, step.partition)
        const { end } = await log.bounds(topic, step.partition)
        await log.truncate(topic, step.partition, held[step.count]?.offset ?? end)
        state.held[step.partition as 0 | 1].splice(0, step.count)
        return
      }
      case 'together': {
        const inside = structuredClone(state)
        const work = async () =>
          log.together(async () => {
            for (const inner of step.actions) {
              // Where a transaction is per task, what was appended inside cannot be read before its end.
              if (inner.kind !== 'truncate' || together !== 'per task') await play(inner, inside)
            }
            if (step.fails) throw new Error('on purpose')
          })
        if (step.fails) await expect(work()).rejects.toThrow('on purpose')
        else await work()
        if (!step.fails) Object.assign(state, inside)
        return
      }
    }
  }

  for (const step of actions) {
    await play(step, model)
    for (const at of [0, 1] as const) {
      expect((await readAll(log, topic, at, undefined, 2)).map((found) => text(found.value))).toEqual(model.held[at])
      expect(await log.committed(topic, topic, at)).toBe(model.positions[at])
    }
  }
}
