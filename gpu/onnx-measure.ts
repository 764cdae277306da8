import type { Manifest } from './manifest.ts'
import { createOnnxScorer } from './onnx-scorer.ts'
import type { MeasureProvider } from './provider-choice.ts'

/** Measures a model on a provider: the median µs of `runs` runs of `batch` rows, after warm-up. For `chooseProvider`. */
export function measureModel(bytes: Uint8Array, manifest: Manifest, batch: number, runs = 20): MeasureProvider {
  return async (provider) => {
    const scorer = await createOnnxScorer(bytes, manifest, { provider, warmUpBatches: [batch, batch, batch] })
    const features = new Float32Array(batch * manifest.input.features.length).fill(0.5)
    const times: number[] = []
    for (let i = 0; i < runs; i++) {
      const start = performance.now()
      await scorer.score(features, batch)
      times.push((performance.now() - start) * 1_000)
    }
    await scorer.close()
    return times.sort((a, b) => a - b)[Math.floor(runs / 2)]!
  }
}
