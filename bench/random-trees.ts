import { parseManifest } from '../gpu/manifest.ts'
import { encodeOnnx } from '../gpu/train/onnx-encoder.ts'
import { createRandom } from '../processors/random.ts'
import type { NewModel } from '../scenarios/model-records.ts'
import { manifestOf } from '../test/gpu/models.ts'
import { type Tree, treeClassifier } from '../test/gpu/tree-models.ts'

const DEPTH = 6

/** A model of complete trees of depth 6 with random splits: what it costs is real, what it says is not. `version` is its seed. */
export function randomTrees(names: readonly string[], version: number, eventTime: number, count = 100): NewModel {
  const random = createRandom(version, 0)
  const tree = (depth: number): Tree =>
    depth === 0
      ? { value: 0.05 * random.normal() }
      : {
          feature: random.below(names.length),
          threshold: random.lognormal(2),
          missing: random.chance(0.5) ? 'below' : 'above',
          below: tree(depth - 1),
          above: tree(depth - 1),
        }
  const trees = Array.from({ length: count }, () => tree(DEPTH))
  const bytes = encodeOnnx(treeClassifier(trees, names.length))
  const outputs = [{ name: 'probabilities', width: 2 }]
  const about = { opset: null, missing: { rule: 'nan' as const }, outputs, name: 'trees', version: String(version) }
  const manifest = parseManifest(JSON.stringify(manifestOf(bytes, names, about)))
  const { name, sha256 } = manifest
  const record = { name, version: manifest.version, sha256, action: 'serve', eventTime } as const
  return { bytes, record: { ...record, manifest: JSON.stringify(manifest) } }
}
