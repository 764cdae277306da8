import { add, mul, sigmoid, square, sub, where } from './elementwise.ts'
import { hashedEmbedding, hashedTableRows, isKnown, knotEmbedding, knotPlace, knotTableRows } from './field-rows.ts'
import { createGraph, staticDim, type Value } from './graph.ts'
import { binaryClassWeights, sigmoidCrossEntropy, weightedMean } from './losses.ts'
import { declareParameters, mlp, mlpParameters } from './mlp.ts'
import { adam } from './optimisers.ts'
import { constantParameter, type Parameter, type Random } from './parameters.ts'
import { reduceSum } from './reductions.ts'
import { concat, reshape, slice } from './shaping.ts'
import { type TrainingStep, trainingStep } from './training-step.ts'

export interface DeepFmSettings {
  /** Columns that are numbers; they come first. */
  readonly numbers: number
  /** Columns behind them that are codes of categories. May be 0. */
  readonly categories: number
  /** Rows of the embedding table per category: a prime. */
  readonly buckets: number
  /** Length of a feature's factor: what its products with all others are made of. */
  readonly factors: number
  /** Units of the hidden layers. */
  readonly hidden: readonly number[]
  /** Adam's. */
  readonly rate: number
  /** How much a positive counts against a negative. */
  readonly positiveWeight: number
  readonly clipNorm: number
}

/** Brings the knots' scale, −6 to 28, to what a perceptron likes. */
const SQUEEZE = 0.1
/** What the perceptron gets for a missing number: below every count and amount. */
const UNKNOWN = -1

/**
 * DeepFM (Guo et al. 2017): every feature has an embedding, of a weight and a factor, found by its value: a category by its
 * hash, a number between the two knots around it. The log-odds are the sum of the weights, of the products of all pairs of
 * factors (Rendle 2010), and of a multi-layer perceptron over the numbers on the knots' logarithmic scale and the categories'
 * factors; all learnt together.
 *
 * The training step takes `x` float32 [batch, numbers + categories], raw, MISSING where nothing is known (a category is also
 * missing if it is negative), and `y` float32 [batch, 1], 0 or 1. `probability` float32 [batch, 1] is what to serve: a slice of
 * the same graph.
 */
export function deepFm(
  settings: DeepFmSettings,
  random: Random,
): { readonly step: TrainingStep; readonly parameters: readonly Parameter[]; readonly probability: Value } {
  const { numbers, categories, buckets, factors, hidden, rate, positiveWeight, clipNorm } = settings
  const graph = createGraph()
  const x = graph.input('x', 'float32', ['batch', numbers + categories])
  const y = graph.input('y', 'float32', ['batch', 1])
  const fields = numbers + categories
  const tables = [
    embeddingTable('numbers', knotTableRows(numbers), fields, factors, random),
    ...(categories === 0
      ? []
      : [embeddingTable('categories', hashedTableRows(categories, buckets), fields, factors, random)]),
  ]
  const parameters: readonly Parameter[] = [
    constantParameter('bias', [1], 0),
    ...tables,
    ...mlpParameters('deep.', [numbers + categories * factors, ...hidden, 1], random),
  ]
  const values = declareParameters(graph, parameters)
  const raw = categories === 0 ? x : slice(x, 0, numbers)
  const known = isKnown(raw)
  const place = knotPlace(raw)
  const embedded = [knotEmbedding(place, known, values.get('numbers')!)]
  const deepInputs = [where(known, mul(place, SQUEEZE), UNKNOWN)]
  if (categories > 0) {
    const rows = hashedEmbedding(slice(x, numbers, fields), buckets, values.get('categories')!)
    embedded.push(rows)
    deepInputs.push(reshape(slice(rows, 1, factors + 1), ['batch', categories * factors]))
  }
  const deep = mlp(concat(deepInputs), 'deep.', values)
  const logits = add(add(weightsAndProducts(embedded), values.get('bias')!), deep)
  const loss = weightedMean(sigmoidCrossEntropy(logits, y), binaryClassWeights(y, 1, positiveWeight))
  const step = trainingStep({ graph, parameters, values, loss: reduceSum(loss), optimiser: adam(rate), clipNorm })
  return { step, parameters, probability: sigmoid(logits) }
}

/**
 * Rows float32 [rows, 1 + k] of a weight, at first 0, and a factor, so small that products begin near 0: a tenth of Glorot's
 * bound for `fields` inputs.
 */
function embeddingTable(name: string, rows: number, fields: number, k: number, random: Random): Parameter {
  const bound = 0.1 * Math.sqrt(6 / (fields + k))
  const initial = Float32Array.from({ length: rows * (k + 1) }, (_, i) =>
    i % (k + 1) === 0 ? 0 : (random() * 2 - 1) * bound,
  )
  return { name, dims: [rows, k + 1], initial }
}

/**
 * Σᵢ wᵢ + Σᵢ<ⱼ ⟨vᵢ, vⱼ⟩ over all fields: float32 [batch, 1] from parts float32 [batch, fields of the part, 1 + k], a weight and a
 * factor each. The products are ½·Σ over factors of (Σ v)² − Σ v², in time linear in the fields.
 */
export function weightsAndProducts(parts: readonly Value[]): Value {
  const width = staticDim(parts[0]!, -1)
  const overFields = (terms: Value): Value => reshape(reduceSum(terms, [1]), [terms.shape[0]!, width])
  const sum = parts.map(overFields).reduce((a, b) => add(a, b))
  const sumOfSquares = parts.map((part) => overFields(square(part))).reduce((a, b) => add(a, b))
  const products = reduceSum(slice(sub(square(sum), sumOfSquares), 1, width), [-1])
  return add(slice(sum, 0, 1), mul(products, 0.5))
}
