import { abs, add, div, exp, log, mul, neg, relu, sigmoid, square, sub } from './elementwise.ts'
import type { Value } from './graph.ts'
import { reduceLogSumExp, reduceSum, reduceTo } from './reductions.ts'

/**
 * Losses per example, float32 [batch, 1], and how they become the one number that is minimised.
 * Weights come in beside them: a sample weight says how much an example counts, a class weight how much its class does.
 */

/** −Σ target·log softmax(logits). logits and targets float32 [batch, classes]; targets are one-hot, or a distribution. */
export function softmaxCrossEntropy(logits: Value, targets: Value): Value {
  const expected = reduceSum(mul(targets, logits), [-1])
  return sub(mul(reduceLogSumExp(logits), reduceSum(targets, [-1])), expected)
}

/** −y·log σ(x) − (1 − y)·log(1 − σ(x)), without overflow for any x. logits and targets float32 [batch, 1]. */
export function sigmoidCrossEntropy(logits: Value, targets: Value): Value {
  const tail = sub(relu(logits), mul(logits, targets))
  const softplus = log(add(exp(neg(abs(logits))), 1))
  // Closed form: the parts are not differentiable at 0, their sum is.
  return logits.graph.withGradient(add(tail, softplus), [logits], (dy) => [mul(dy, sub(sigmoid(logits), targets))])
}

/** Σ (prediction − target)² over the last axis. */
export function squaredError(predictions: Value, targets: Value): Value {
  return reduceSum(square(sub(predictions, targets)), [-1])
}

/** The weight of each example's class, float32 [batch, 1], from one-hot targets [batch, classes] and a weight per class. */
export function classWeights(targets: Value, weights: readonly number[]): Value {
  return reduceSum(mul(targets, targets.graph.constant('float32', [1, weights.length], weights)), [-1])
}

/** The same for binary targets float32 [batch, 1]. */
export function binaryClassWeights(targets: Value, negative: number, positive: number): Value {
  return add(mul(targets, positive - negative), negative)
}

/** Σ weight·loss / Σ weight: float32 [1, 1]. A batch whose weights are all 0 gives NaN: do not send one. */
export function weightedMean(losses: Value, weights: Value): Value {
  return div(reduceSum(mul(losses, weights)), reduceSum(weights))
}

/** ½·λ·Σ w² over all parameters: float32 []. */
export function l2Penalty(parameters: readonly Value[], lambda: number): Value {
  return mul(sumAll(parameters.map((parameter) => square(parameter))), lambda / 2)
}

export interface Anchor {
  readonly parameter: Value
  /** The weights after the earlier task, of the parameter's shape. */
  readonly centre: Value
  /** Fisher information per weight, of the parameter's shape: how much the earlier task minds a change. */
  readonly fisher: Value
}

/** Elastic weight consolidation (Kirkpatrick et al. 2017): ½·λ·Σ F·(w − w*)². `lambda` float32 [] : float32 []. */
export function ewcPenalty(anchors: readonly Anchor[], lambda: Value): Value {
  const terms = anchors.map(({ parameter, centre, fisher }) => mul(fisher, square(sub(parameter, centre))))
  return mul(sumAll(terms), mul(lambda, 0.5))
}

/** The sum of every element of every tensor: float32 []. */
export function sumAll(tensors: readonly Value[]): Value {
  const sums = tensors.map((tensor) => reduceTo(tensor, []))
  return sums.reduce((total, sum) => add(total, sum))
}
