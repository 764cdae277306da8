import type { Random } from './parameters.ts'

/** A bounded, uniform sample of everything seen (reservoir sampling, Vitter 1985), to be mixed into later batches. */
export interface ReplayBuffer<T> {
  readonly size: number
  add(example: T): void
  /** `count` examples drawn with replacement; none from an empty buffer. */
  sample(count: number): readonly T[]
}

/** Deterministic for one seed and order of additions. Memory: `capacity` examples. */
export function replayBuffer<T>(capacity: number, random: Random): ReplayBuffer<T> {
  const kept: T[] = []
  let seen = 0
  return {
    get size() {
      return kept.length
    },
    add(example) {
      seen++
      if (kept.length < capacity) kept.push(example)
      else {
        const at = Math.floor(random() * seen)
        if (at < capacity) kept[at] = example
      }
    },
    sample: (count) =>
      kept.length === 0 ? [] : Array.from({ length: count }, () => kept[Math.floor(random() * kept.length)]!),
  }
}
