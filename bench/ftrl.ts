/**
 * Speed of the FTRL learner alone: `node bench/ftrl.ts`. Examples of 39 hashed features, all of value 1, ids already
 * hashed, one update per example; slots drawn with a skew (a quarter of the features are frequent), so that a table is
 * touched all over. Prints the median of several runs, both kernels in turn.
 */

import { Ftrl } from '../processors/learners/ftrl.ts'
import { createScalarKernel } from '../processors/learners/ftrl-scalar.ts'
import { createSimdKernel } from '../processors/learners/ftrl-simd.ts'

const FEATURES = 39
const EXAMPLES = 100_000
const RUNS = 7

interface Stream {
  readonly indices: Uint32Array
  readonly labels: Uint8Array
}

/** uint32 [EXAMPLES, FEATURES], each feature over its own values: position j has few, some or many of them. */
function makeStream(vocabulary: number): Stream {
  const indices = new Uint32Array(EXAMPLES * FEATURES)
  const labels = new Uint8Array(EXAMPLES)
  let state = 12345
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  for (let example = 0; example < EXAMPLES; example++) {
    let evidence = -2
    for (let j = 0; j < FEATURES; j++) {
      const size = j % 4 === 0 ? 50 : vocabulary / FEATURES
      const value = Math.floor(next() * size)
      // Fibonacci hashing spreads (feature, value) over the table
      indices[example * FEATURES + j] = Math.imul(j * 0x100000 + value, 0x9e3779b1) >>> 7
      if (j % 4 === 0 && value % 5 === 0) evidence += 0.5
    }
    labels[example] = next() < 1 / (1 + Math.exp(-evidence)) ? 1 : 0
  }
  return { indices, labels }
}

function run(learner: Ftrl, stream: Stream): number {
  const examples = Array.from({ length: EXAMPLES }, (_, i) => stream.indices.subarray(i * FEATURES, (i + 1) * FEATURES))
  const started = performance.now()
  for (let i = 0; i < EXAMPLES; i++) {
    learner.learn(examples[i]!, null, FEATURES, stream.labels[i] === 1 ? 1 : 0)
  }
  return EXAMPLES / ((performance.now() - started) / 1000)
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!
}

console.log(`FTRL, ${FEATURES} hashed features, one update per example; examples/s, median of ${RUNS} (best)`)
for (const bits of [16, 20]) {
  const stream = makeStream(2 ** bits)
  const settings = { bits, alpha: 0.1, beta: 1, lambda1: 1, lambda2: 1 }
  const kernels = [
    { name: 'scalar', learner: new Ftrl(settings, createScalarKernel), rates: [] as number[] },
    { name: 'simd', learner: new Ftrl(settings, (constants) => createSimdKernel(constants)!), rates: [] as number[] },
  ]
  for (let i = 0; i < RUNS + 1; i++) {
    for (const kernel of kernels) {
      const rate = run(kernel.learner, stream)
      if (i > 0) kernel.rates.push(rate)
    }
  }
  const [scalar, simd] = kernels.map(({ learner }) => Buffer.from(learner.snapshot()))
  for (const { name, rates } of kernels) {
    console.log(
      `2^${bits} slots  ${name.padEnd(6)}  ${Math.round(median(rates)).toLocaleString('en').padStart(9)}` +
        `  (${Math.round(Math.max(...rates)).toLocaleString('en')})`,
    )
  }
  console.log(`2^${bits} slots  weights ${scalar!.equals(simd!) ? 'equal to the bit' : 'DIFFER'}`)
}
