import { abs, add, log, mul, sigmoid, sign, square, sub } from './elementwise.ts'
import { createGraph, type Value } from './graph.ts'
import { gemm, matMul } from './linear.ts'
import { binaryClassWeights, sigmoidCrossEntropy, weightedMean } from './losses.ts'
import { declareParameters, mlp, mlpParameters } from './mlp.ts'
import { adam } from './optimisers.ts'
import { constantParameter, glorot, type Parameter, type Random } from './parameters.ts'
import { reduceSum } from './reductions.ts'
import { type TrainingStep, trainingStep } from './training-step.ts'

export interface DeepFmSettings {
  readonly features: number
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
 * DeepFM (Guo et al. 2017) on numbers: the log-odds are the sum of a linear part, of all products of two features with
 * factorised weights (Rendle 2010), and of a multi-layer perceptron, over the same inputs, learnt together. Inputs are raw
 * features, squeezed by sign(x)·ln(1 + |x|).
 *
 * The training step takes `x` float32 [batch, features] and `y` float32 [batch, 1], 0 or 1. `probability` float32 [batch, 1]
 * is what to serve: a slice of the same graph.
 */
export function deepFm(
  settings: DeepFmSettings,
  random: Random,
): { readonly step: TrainingStep; readonly parameters: readonly Parameter[]; readonly probability: Value } {
  const { features, factors, hidden, rate, positiveWeight, clipNorm } = settings
  const graph = createGraph()
  const x = graph.input('x', 'float32', ['batch', features])
  const y = graph.input('y', 'float32', ['batch', 1])
  const small = glorot('factors', features, factors, random)
  const parameters: readonly Parameter[] = [
    constantParameter('wide', [features, 1], 0),
    constantParameter('bias', [1], 0),
    { ...small, initial: small.initial.map((value) => value * 0.1) },
    ...mlpParameters('deep.', [features, ...hidden, 1], random),
  ]
  const values = declareParameters(graph, parameters)
  const inputs = mul(mul(sign(x), log(add(abs(x), 1))), SQUEEZE)
  const wide = gemm(inputs, values.get('wide')!, { bias: values.get('bias')! })
  const logits = add(add(wide, featureProducts(inputs, values.get('factors')!)), mlp(inputs, 'deep.', values))
  const loss = weightedMean(sigmoidCrossEntropy(logits, y), binaryClassWeights(y, 1, positiveWeight))
  const step = trainingStep({ graph, parameters, values, loss: reduceSum(loss), optimiser: adam(rate), clipNorm })
  return { step, parameters, probability: sigmoid(logits) }
}

/** x float32 [batch, features], factors float32 [features, k]: float32 [batch, 1], Σᵢ<ⱼ ⟨vᵢ, vⱼ⟩·xᵢ·xⱼ = ½·Σ over factors of (Σ v·x)² − Σ v²·x², in time linear in the features. */
export function featureProducts(x: Value, factors: Value): Value {
  const squareOfSum = square(matMul(x, factors))
  const sumOfSquares = matMul(square(x), square(factors))
  return mul(reduceSum(sub(squareOfSum, sumOfSquares), [-1]), 0.5)
}
