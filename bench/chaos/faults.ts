import { createRandom } from '../../processors/random.ts'

export const FAULTS = [
  'worker killed',
  'worker stopped for 30 s',
  'broker killed',
  'Redis killed',
  'Redis emptied',
  'rebalance storm',
] as const
export type FaultKind = (typeof FAULTS)[number]

export interface Fault {
  readonly kind: FaultKind
  /** Since the first payment, ms. */
  readonly atMs: number
  /** Which one it meets, and how long it lasts: 0 to 1. */
  readonly which: number
  readonly howLong: number
}

/** Of all faults; the rest are killed workers. What takes long is rarer: two of a kind never overlap. */
const SHARES: readonly (readonly [FaultKind, number])[] = [
  ['worker stopped for 30 s', 0.09],
  ['broker killed', 0.1],
  ['Redis killed', 0.16],
  ['Redis emptied', 0.14],
  ['rebalance storm', 0.08],
]
const FIRST_SHARE = 0.03
const LAST_SHARE = 0.93

/** The faults of a seed, in the order of their times, evenly over the run. `only`: all of one kind. */
export function drawFaults(seed: number, count: number, runMs: number, only?: string): readonly Fault[] {
  const random = createRandom(seed, 9)
  if (only !== undefined && !FAULTS.some((kind) => kind === only)) throw new Error(`--only: ${FAULTS.join(', ')}`)
  const drawn: FaultKind[] = SHARES.flatMap(([kind, share]) =>
    Array.from({ length: Math.max(1, Math.round(share * count)) }, () => kind),
  ).slice(0, count)
  const kinds = only === undefined ? drawn : Array.from({ length: count }, () => only as FaultKind)
  while (kinds.length < count) kinds.push('worker killed')
  for (let i = kinds.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const kind = kinds[i]!
    kinds[i] = kinds[j]!
    kinds[j] = kind
  }
  const stepMs = ((LAST_SHARE - FIRST_SHARE) * runMs) / count
  return kinds.map((kind, i) => ({
    kind,
    atMs: Math.round(FIRST_SHARE * runMs + (i + random.float()) * stepMs),
    which: random.float(),
    howLong: random.float(),
  }))
}
