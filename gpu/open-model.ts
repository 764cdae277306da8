import type { Manifest } from './manifest.ts'
import { gathering } from './micro-batch.ts'
import type { Provider } from './onnx-runtime.ts'
import { createOnnxScorer } from './onnx-scorer.ts'
import { createWorkerScorer, WORKER_FROM_US } from './onnx-worker-scorer.ts'
import { createProbabilityScorer } from './probability-scorer.ts'
import { type ChosenProviders, createChosenProviders, type MeasureProvider, type OpenedOn } from './provider-choice.ts'
import type { Scorer } from './scorer.ts'

/** A usual batch: what a run is measured with. */
export const BATCH = 256
const RUNS = 5
/** A larger file takes tens of milliseconds to open, several passes of the run loop (docs/gpu.md). */
const THREAD_FROM_BYTES = 1_048_576

/**
 * Opens a model for a scenario: on the wanted provider (`auto`: the fastest here, as `chosen` remembers it), and on a thread of
 * its own where opening it, or a run of a usual batch, takes so long that it would hold up the event loop. `degraded` of its
 * scores says where the provider is not the wanted one; `onChoice` hears of any choice but the CPU's own.
 */
export async function openModel(
  bytes: Uint8Array,
  manifest: Manifest,
  wanted: Provider | 'auto',
  featureSet: readonly string[],
  chosen: ChosenProviders = createChosenProviders(),
  onChoice: (choice: OpenedOn) => void = () => undefined,
): Promise<Scorer> {
  if (wanted === 'cpu') return createProbabilityScorer(await openOn('cpu', bytes, manifest), manifest, featureSet)
  const { name, input, outputs } = manifest
  const widths = outputs.map(({ width }) => width)
  const shape = { name, inputs: input.features.length, outputs: widths, bytes: bytes.length }
  const { opened, degraded } = await chosen.open(wanted, shape, {
    measure: measured(bytes, manifest),
    open: (provider) => openOn(provider, bytes, manifest),
    onChoice,
  })
  const open = createProbabilityScorer(opened, manifest, featureSet)
  if (degraded === null) return open
  return { ...open, score: async (rows, batch) => ({ ...(await open.score(rows, batch)), degraded }) }
}

/** Times a provider with the very scorers that would serve on it: the median µs of a usual batch. */
function measured(bytes: Uint8Array, manifest: Manifest): MeasureProvider {
  return async (provider) => {
    const scorer = await openOn(provider, bytes, manifest)
    const features = new Float32Array(BATCH * manifest.input.features.length).fill(0.5)
    const times: number[] = []
    for (let i = 0; i < RUNS; i++) {
      const startMs = performance.now()
      await scorer.score(features, BATCH)
      times.push((performance.now() - startMs) * 1_000)
    }
    await scorer.close()
    return times.sort((a, b) => a - b)[Math.floor(RUNS / 2)]!
  }
}

/**
 * Opened where it is to run, since a session cannot move between threads: a device's on a thread always, for it compiles shaders
 * while it opens. A small file that turns out to be slow is opened once more, on a thread.
 */
async function openOn(provider: Provider, bytes: Uint8Array, manifest: Manifest): Promise<Scorer> {
  const options = { provider, warmUpBatches: [1, BATCH] }
  const onThread = async (): Promise<Scorer> =>
    gathering(await createWorkerScorer(bytes, manifest, options), manifest.input.features.length)
  if (provider !== 'cpu' || bytes.length > THREAD_FROM_BYTES) return onThread()
  const scorer = await createOnnxScorer(bytes, manifest, options)
  const startMs = performance.now()
  await scorer.score(new Float32Array(BATCH * manifest.input.features.length), BATCH)
  if ((performance.now() - startMs) * 1_000 < WORKER_FROM_US) return scorer
  await scorer.close()
  return onThread()
}
