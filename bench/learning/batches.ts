import { float32, type HostTensor } from '../../gpu/onnx-runtime.ts'

/** One-hot classes, float32 [batch, classes]. */
export function oneHot(classes: readonly number[], width: number): HostTensor {
  const data = new Float32Array(classes.length * width)
  classes.forEach((of, i) => {
    data[i * width + of] = 1
  })
  return float32([classes.length, width], data)
}

/** The same weight for every example, float32 [batch, 1]. */
export function ones(rows: number): HostTensor {
  return float32([rows, 1], new Float32Array(rows).fill(1))
}

/** Weight 1 where an example counts, else 0, float32 [batch, 1]. */
export function onesAt(isCounted: readonly boolean[]): HostTensor {
  return float32([isCounted.length, 1], Float32Array.from(isCounted, Number))
}

/** The class with the largest logit of each row. */
export function largest(logits: Float32Array, width: number): readonly number[] {
  return Array.from({ length: logits.length / width }, (_, i) => {
    const row = logits.subarray(i * width, (i + 1) * width)
    return row.reduce((best, logit, column) => (logit > row[best]! ? column : best), 0)
  })
}

/** A seeded permutation of `items` (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const order = [...items]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  return order
}
