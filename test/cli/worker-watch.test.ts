import { afterEach, expect, it, vi } from 'vitest'
import { Health } from '../../cli/health.ts'
import { createWorkerMetrics } from '../../cli/worker-metrics.ts'
import { WorkerWatch } from '../../cli/worker-watch.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { EventValue } from '../../streams/event-value.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'

afterEach(() => vi.restoreAllMocks())

it('the model’s version is that of the newest score alone, also after a model has joined', async () => {
  const topology = fraud.topology(1)
  const { topic, codec } = topology.outputs[0]!
  const metrics = createWorkerMetrics()
  const watch = new WorkerWatch(createMemoryLog(), createMemoryStateStore(), metrics, new Health(() => 0))
  await watch.log.ensureTopics(topology.topics)
  watch.begin(topology)
  const writer = await watch.log.acquire('g', 't')
  const now = vi.spyOn(performance, 'now')
  for (const [second, modelName] of ['ftrl', 'ftrl+trees@1'].entries()) {
    now.mockReturnValue(10_000 * (second + 1))
    const value = new EventValue(() => ({ modelName, modelVersion: 7 + second }), codec)
    await writer.commit({
      appends: [{ topic, partition: 0, records: [{ key: null, value, timestampMs: 0 }] }],
      positions: [],
    })
  }
  watch.close()
  const { values } = await metrics.modelVersion.get()
  expect(values).toMatchObject([{ labels: { model: 'ftrl+trees@1' }, value: 8 }])
})
