import { abs, add, log, mul, sigmoid, sign, square, sub } from './elementwise.ts'
import { createGraph, type Value } from './graph.ts'
import { hashedRows, hashedTableRows } from './hashed-embedding.ts'
import { gemm, matMul } from './linear.ts'
import { binaryClassWeights, sigmoidCrossEntropy, weightedMean } from './losses.ts'
import { declareParameters, mlp, mlpParameters } from './mlp.ts'
import { adam } from './optimisers.ts'
import { constantParameter, type Parameter, type Random } from './parameters.ts'
import { reduceSum } from './reductions.ts'
import { concat, gatherRows, reshape, slice } from './shaping.ts'
import { type TrainingStep, trainingStep } from './training-step.ts'

export interface DeepFmSettings {
  /** Columns that are numbers; they come first. */
  readonly numbers: number
  /** Columns behind them that are codes of categories. May be 0. */
  readonly categories: number
  /** Rows of the embedding table per category: a prime. */
  readonly buckets: number
  /** Length of each feature's factor: what its products with all others are made of. */
  readonly factors: number
  /** Units of the hidden layers. */
  readonly hidden: readonly number[]
  /** Adam's. */
  readonly rate: number
  /** How much a positive counts against a negative. */
  readonly positiveWeight: number
  readonly clipNorm: number
}

/** Half a dozen decades of amounts and counts come to within about ±3. */
const SQUEEZE = 0.25

/**
 * DeepFM (Guo et al. 2017): the log-odds are the sum of a linear part, of all products of two features with factorised
 * weights (Rendle 2010), and of a multi-layer perceptron, over the same inputs, learnt together. Numbers are raw features,
 * squeezed by sign(x)·ln(1 + |x|); a category has a weight and a factor per hashed value, and its factor goes into the
 * perceptron too.
 *
 * The training step takes `x` float32 [batch, numbers + categories] and `y` float32 [batch, 1], 0 or 1; a negative code is a
 * missing category. `probability` float32 [batch, 1] is what to serve: a slice of the same graph.
 */
export function deepFm(
  settings: DeepFmSettings,
  random: Random,
): { readonly step: TrainingStep; readonly parameters: readonly Parameter[]; readonly probability: Value } {
  const { numbers, categories, buckets, factors, hidden, rate, positiveWeight, clipNorm } = settings
  const graph = createGraph()
  const x = graph.input('x', 'float32', ['batch', numbers + categories])
  const y = graph.input('y', 'float32', ['batch', 1])
  const rows = hashedTableRows(categories, buckets)
  const parameters: readonly Parameter[] = [
    constantParameter('wide', [numbers, 1], 0),
    constantParameter('bias', [1], 0),
    smallFactors('factors', numbers, numbers, factors, random),
    ...(categories === 0
      ? []
      : [
          constantParameter('wide.categories', [rows, 1], 0),
          smallFactors('factors.categories', rows, categories, factors, random),
        ]),
    ...mlpParameters('deep.', [numbers + categories * factors, ...hidden, 1], random),
  ]
  const values = declareParameters(graph, parameters)
  const raw = categories === 0 ? x : slice(x, 0, numbers)
  const inputs = mul(mul(sign(raw), log(add(abs(raw), 1))), SQUEEZE)
  let wide = gemm(inputs, values.get('wide')!, { bias: values.get('bias')! })
  let deepInputs = inputs
  let embedded: Value | null = null
  if (categories > 0) {
    const at = hashedRows(slice(x, numbers, numbers + categories), buckets)
    embedded = gatherRows(values.get('factors.categories')!, at)
    wide = add(wide, reshape(reduceSum(gatherRows(values.get('wide.categories')!, at), [1]), ['batch', 1]))
    deepInputs = concat([inputs, reshape(embedded, ['batch', categories * factors])])
  }
  const products = featureProducts(inputs, values.get('factors')!, embedded)
  const logits = add(add(wide, products), mlp(deepInputs, 'deep.', values))
  const loss = weightedMean(sigmoidCrossEntropy(logits, y), binaryClassWeights(y, 1, positiveWeight))
  const step = trainingStep({ graph, parameters, values, loss: reduceSum(loss), optimiser: adam(rate), clipNorm })
  return { step, parameters, probability: sigmoid(logits) }
}

/** Factors float32 [rows, k], of which an example uses `used` at once: a tenth of Glorot's bound, so that products begin near 0. */
function smallFactors(name: string, rows: number, used: number, k: number, random: Random): Parameter {
  const bound = 0.1 * Math.sqrt(6 / (used + k))
  const initial = Float32Array.from({ length: rows * k }, () => (random() * 2 - 1) * bound)
  return { name, dims: [rows, k], initial }
}

/**
 * x float32 [batch, features], factors float32 [features, k], embedded float32 [batch, categories, k] (the factors of what each
 * category is): float32 [batch, 1], Σᵢ<ⱼ ⟨vᵢ, vⱼ⟩·xᵢ·xⱼ over numbers and categories, x of a category being 1. It is
 * ½·Σ over factors of (Σ v·x)² − Σ v²·x², in time linear in the features.
 */
export function featureProducts(x: Value, factors: Value, embedded: Value | null = null): Value {
  const ofNumbers = [matMul(x, factors), matMul(square(x), square(factors))] as const
  const overCategories = (terms: Value): Value => reshape(reduceSum(terms, [1]), ofNumbers[0].shape)
  const [sum, sumOfSquares] =
    embedded === null
      ? ofNumbers
      : [add(ofNumbers[0], overCategories(embedded)), add(ofNumbers[1], overCategories(square(embedded)))]
  return mul(reduceSum(sub(square(sum), sumOfSquares), [-1]), 0.5)
}
