import { RheoError } from '../schemas/errors.ts'
import { fitFeatures, type Manifest } from './manifest.ts'
import type { Scorer } from './scorer.ts'

/** The one output of a probability scorer, float32 [batch, 1]. */
export const PROBABILITY = 'probability'

/**
 * Fits a model into a scenario: the scorer it gives takes rows of the whole feature set, float32 [batch, features of the
 * scenario], NaN = missing, picks the model's columns, treats what is missing by the manifest's rule, and answers with
 * probabilities of label 1. They are the first output: its only column, or the second of two. So versions that read other
 * features can stand in for each other.
 *
 * Fails with MODEL_INVALID where features are lacking or the first output is wider, and on a score outside 0..1.
 */
export function createProbabilityScorer(scorer: Scorer, manifest: Manifest, featureSet: readonly string[]): Scorer {
  const columns = fitFeatures(manifest, featureSet)
  const { name, width } = manifest.outputs[0]!
  if (width > 2) {
    throw new RheoError('MODEL_INVALID', `Output ${name} of ${manifest.name} has ${width} columns, not 1 or 2.`, {
      hint: 'List the output with the probability first in the manifest; two columns are those of label 0 and 1.',
    })
  }
  const missing = manifest.missing.rule === 'constant' ? manifest.missing.value : Number.NaN
  const takesRowsAsTheyAre =
    Number.isNaN(missing) && columns.length === featureSet.length && columns.every((column, i) => column === i)

  function pick(rows: Float32Array, batch: number): Float32Array {
    const picked = new Float32Array(batch * columns.length)
    let to = 0
    for (let row = 0, from = 0; row < batch; row++, from += featureSet.length) {
      for (let i = 0; i < columns.length; i++) {
        const value = rows[from + columns[i]!]!
        picked[to++] = Number.isNaN(value) ? missing : value
      }
    }
    return picked
  }

  return {
    model: scorer.model,
    runsBeside: scorer.runsBeside ?? false,
    close: () => scorer.close(),
    async score(rows, batch) {
      const scores = await scorer.score(takesRowsAsTheyAre ? rows : pick(rows, batch), batch)
      const given = scores.outputs.get(name)!
      const probabilities = new Float32Array(batch)
      for (let row = 0; row < batch; row++) {
        const probability = given[row * width + width - 1]!
        if (!(probability >= 0 && probability <= 1)) {
          throw new RheoError(
            'MODEL_INVALID',
            `${name} of ${manifest.name} ${manifest.version} is ${probability} in row ${row} of ${batch}: no probability.`,
            { hint: 'Export the model with its probabilities, 0 to 1, and name that output first in the manifest.' },
          )
        }
        probabilities[row] = probability
      }
      return { ...scores, outputs: new Map([[PROBABILITY, probabilities]]) }
    },
  }
}
