import type { Manifest } from './manifest.ts'
import { measureModel } from './onnx-measure.ts'
import type { Provider } from './onnx-runtime.ts'
import { createOnnxScorer } from './onnx-scorer.ts'
import { createWorkerScorer, WORKER_FROM_US } from './onnx-worker-scorer.ts'
import { createProbabilityScorer } from './probability-scorer.ts'
import { chooseProvider } from './provider-choice.ts'
import type { Scorer } from './scorer.ts'

/** A usual batch: what a run is measured with. */
const BATCH = 256
const RUNS = 5

/**
 * Opens a model for a scenario: on the wanted provider (`auto`: the fastest here), and on a thread of its own where a run of a
 * usual batch takes so long that it would hold up the event loop. `degraded` of its scores says where the provider is
 * not the wanted one.
 */
export async function openModel(
  bytes: Uint8Array,
  manifest: Manifest,
  wanted: Provider | 'auto',
  featureSet: readonly string[],
): Promise<Scorer> {
  const { provider, degraded, findings } = await chooseProvider(wanted, measureModel(bytes, manifest, BATCH, RUNS))
  const chosen = findings.find((finding) => finding.provider === provider)
  const isSlow = chosen?.kind === 'measured' && chosen.usPerBatch >= WORKER_FROM_US
  const scorer = await (isSlow ? createWorkerScorer : createOnnxScorer)(bytes, manifest, { provider })
  const open = createProbabilityScorer(scorer, manifest, featureSet)
  if (degraded === null) return open
  return { ...open, score: async (rows, batch) => ({ ...(await open.score(rows, batch)), degraded }) }
}
