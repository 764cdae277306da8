import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { partitionOf } from '../../streams/partition.ts'
import { runLive } from '../../streams/run-live.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import { readAll } from '../event-log/harness.ts'
import { lateModels } from '../simulation/late-models.ts'
import { type Order, saidAbout, type TinyScore, tinyTopics, tinyTopology } from '../simulation/tiny-topology.ts'
import { needBroker, openTestLog, prefixed, uniqueName } from './kafka-broker.ts'

const PARTITIONS = 2
const ORDERS = 200
/** Longer than a commit takes. */
const MODEL_MS = 50

beforeAll(() => needBroker())

test('what united tasks have read within a bracket and models have beyond it is scored once, after restarts too', async () => {
  const log = prefixed(openTestLog(), uniqueName())
  const store = createMemoryStateStore()
  const plain = tinyTopology(PARTITIONS, 'ignored')
  await log.ensureTopics(plain.topics)
  const ids = Array.from({ length: ORDERS }, (_, i) => `o${i}`)
  for (const [i, id] of ids.entries()) {
    const order: Order = { id, a: `a${i % 7}`, b: `b${i % 5}`, timeMs: i }
    const record = { key: Buffer.from(order.a), value: Buffer.from(JSON.stringify(order)), timestampMs: i }
    await log.append([{ topic: tinyTopics.orders, partition: partitionOf(order.a, PARTITIONS), records: [record] }])
  }
  const scores = async (): Promise<TinyScore[]> => {
    const found: TinyScore[] = []
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const { value } of await readAll(log, tinyTopics.scores, partition))
        found.push(JSON.parse(Buffer.from(value as Uint8Array).toString()) as TinyScore)
    }
    return found
  }
  let answers = 0
  let passes = 0
  /** Answers that came in a later pass than their question. */
  let left = 0
  const point = async (): Promise<'go on' | 'fail'> => {
    await sleep(MODEL_MS)
    answers++
    return answers === 5 || answers === 12 ? 'fail' : 'go on'
  }
  const stop = new AbortController()
  let retries = 0
  await runLive({
    topology: lateModels(plain, point, () => {
      const asked = passes
      return () => {
        if (passes > asked) left++
      }
    }),
    log,
    store,
    signal: stop.signal,
    clock: Date.now,
    batchRecords: 4,
    commitPer: 'round',
    flushEveryMs: 20,
    async onPass() {
      passes++
      if ((await scores()).length === ORDERS) stop.abort()
    },
    onRetry: () => {
      retries++
    },
  })
  const found = await scores()
  expect(found.map(({ id }) => id).sort()).toEqual([...ids].sort())
  for (const { id, version, said } of found) expect(said).toBe(saidAbout(id, version))
  expect(left).toBeGreaterThan(0)
  expect(retries).toBe(2)
  await log.close()
})
