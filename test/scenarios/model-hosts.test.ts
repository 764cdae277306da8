import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { ModelRecord } from '../../processors/inference.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { createOnnxHosts } from '../../scenarios/model-hosts.ts'
import type { NewModel } from '../../scenarios/model-records.ts'
import { RheoError } from '../../schemas/errors.ts'
import { amountTrees, testModel } from './model-run.ts'

const NAMES = fraud.featureSet.names
const ROWS = [new Float64Array(NAMES.length)]
const first = testModel('1', amountTrees(0.25, 0.75), 0)
const second = testModel('2', amountTrees(0.125, 0.5), 0)
const other = testModel('1', amountTrees(0.5, 0.5), 0, 'other')

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const hosts of open.splice(0)) await hosts.close()
})

/** Hosts that wait for each file until it is given. */
function hostsOf(swaps: 'at its record' | 'once open', models: readonly NewModel[] = [first, second, other]) {
  const asked: string[] = []
  const gates = new Map(models.map(({ record }) => [record.sha256, Promise.withResolvers<void>()]))
  const failures: RheoError[] = []
  const hosts = createOnnxHosts({
    featureNames: NAMES,
    provider: 'cpu',
    swaps,
    async read(sha256) {
      asked.push(sha256)
      await gates.get(sha256)!.promise
      return models.find(({ record }) => record.sha256 === sha256)!.bytes
    },
    onFailure: (error) => failures.push(error),
  })
  open.push(hosts)
  const give = ({ record }: NewModel) => gates.get(record.sha256)!.resolve()
  const refuse = ({ record }: NewModel, error: Error) => gates.get(record.sha256)!.reject(error)
  return { hosts, asked, give, refuse, failures }
}

const records = (...models: readonly NewModel[]): readonly ModelRecord[] => models.map(({ record }) => record)

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(0)
}

describe('a host', () => {
  const large = testModel('1', Array.from({ length: 12_000 }, () => amountTrees(0, 0)).flat(), 0)

  it('says that its models run beside this thread once one of them has a thread of its own', async () => {
    expect(large.bytes.length).toBeGreaterThan(1_048_576)
    for (const [model, runsBeside] of [[first, false] as const, [large, true] as const]) {
      const { hosts, give } = hostsOf('once open', [model])
      const host = hosts.hostOf(0)
      expect(host.runsBeside).toBe(false)
      give(model)
      await host.answer(records(model), ROWS)
      expect(host.runsBeside).toBe(runsBeside)
    }
  })
})

describe('hosts whose versions take over once they are open', () => {
  it('let the version before go on, whole, while the next is opened', async () => {
    const { hosts, give } = hostsOf('once open')
    const host = hosts.hostOf(0)
    const ask = async (scoring: readonly ModelRecord[]) => {
      const { models, degraded } = await host.answer(scoring, ROWS)
      return `${models.map(({ name, version }) => `${name}@${version}`)} ${degraded}`
    }
    give(first)
    expect(await ask(records(first))).toBe('trees@1 false')
    const both = records(first, second)
    expect(await ask(both)).toBe('trees@1 false')
    const three = records(first, second, other)
    expect(await ask(three)).toBe('trees@1 false')
    give(second)
    give(other)
    const seen: string[] = []
    await until(async () => {
      seen.push(await ask(three))
      return seen.at(-1) === 'trees@2,other@1 false'
    })
    expect(seen.filter((answer) => answer.endsWith('true'))).toEqual([])
  })

  it('wait for what a task asks first of all, so that a start leaves no model out', async () => {
    const { hosts, give } = hostsOf('once open')
    const answer = hosts.hostOf(0).answer(records(first, second), ROWS)
    give(first)
    expect(await Promise.race([answer.then(() => 'answered'), sleep(50, 'waits')])).toBe('waits')
    give(second)
    expect((await answer).models[0]!.version).toBe('2')
  })

  it('let a model that was withdrawn while it was opened not score', async () => {
    const { hosts, give } = hostsOf('once open')
    const host = hosts.hostOf(0)
    give(first)
    await host.answer(records(first), ROWS)
    await host.answer(records(first, other), ROWS)
    const without = records(first)
    await host.answer(without, ROWS)
    give(other)
    await sleep(50)
    expect((await host.answer(without, ROWS)).models.map(({ name }) => name)).toEqual(['trees'])
  })

  it('pass on what is wrong with the log, and keep to themselves what is wrong with a model', async () => {
    const { hosts, give, refuse, failures } = hostsOf('once open')
    const host = hosts.hostOf(0)
    give(first)
    await host.answer(records(first), ROWS)
    const withBroken = records(first, other)
    await host.answer(withBroken, ROWS)
    refuse(other, new RheoError('MODEL_INVALID', 'no such file'))
    await until(async () => (await host.answer(withBroken, ROWS)).degraded)
    expect(failures.map(({ code }) => code)).toEqual(['MODEL_INVALID'])
    const withLost = records(first, other, second)
    await host.answer(withLost, ROWS)
    refuse(second, new RheoError('LOG_UNAVAILABLE', 'the brokers are away', { retryable: true }))
    const answers = async () => {
      for (;;) {
        await host.answer(withLost, ROWS)
        await sleep(5)
      }
    }
    await expect(answers()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' })
  })
})

describe('hosts whose versions take over at their record', () => {
  it('wait for the next version', async () => {
    const { hosts, give } = hostsOf('at its record')
    const host = hosts.hostOf(0)
    give(first)
    await host.answer(records(first), ROWS)
    const answer = host.answer(records(first, second), ROWS)
    expect(await Promise.race([answer.then(() => 'answered'), sleep(50, 'waits')])).toBe('waits')
    give(second)
    expect((await answer).models.map(({ version }) => version)).toEqual(['2'])
  })
})

it('opens a version once for all tasks', async () => {
  const { hosts, asked, give } = hostsOf('once open')
  give(first)
  await Promise.all([0, 1, 2, 3].map((task) => hosts.hostOf(task).answer(records(first), ROWS)))
  expect(asked).toEqual([first.record.sha256])
})
