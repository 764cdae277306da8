/** One arm's part of an outcome. */
export interface ArmOutcome {
  readonly probability: number
  /** The arm's threshold when the payment was scored; flagged from it upwards. Infinity, or 1: nothing is flagged. */
  readonly threshold: number
}

/** A score paired with its label, as the outcomes topic gives it. */
export interface EvaluatedOutcome {
  /** Names the scored event. */
  readonly id: string
  /** The scored event's time, ms since 1970. */
  readonly eventTimeMs: number
  readonly label: boolean
  readonly arms: Readonly<Record<string, ArmOutcome>>
  /** Names of the rules that applied. */
  readonly ruleHits: readonly string[]
}

/** Outcomes as columns. */
export interface OutcomeColumns {
  readonly timesMs: Float64Array
  readonly labels: Uint8Array
  readonly arms: readonly {
    readonly probabilities: Float64Array
    readonly flags: Uint8Array
    /** 1 where the arm had no threshold: whatever its probability, it did not flag. */
    readonly unset: Uint8Array
  }[]
}

/**
 * Outcomes in typed arrays, one row per scored event: a later outcome of the same one replaces the earlier. Events
 * are known by a 64-bit fingerprint of their id (two ids in 1.5 million meet with chance 6e-8). About 60 bytes a row
 * with two arms.
 */
export interface OutcomeTable {
  readonly size: number
  readonly corrections: number
  /** @throws RangeError when an arm is missing or a probability is not a number in 0..1 */
  put(outcome: EvaluatedOutcome): void
  /** Copies of the rows with event time in [fromMs, untilMs), in order of event time, then of arrival. */
  between(fromMs: number, untilMs: number): OutcomeColumns
}

const FIRST_CAPACITY = 4096

export function createOutcomeTable(arms: readonly string[]): OutcomeTable {
  let capacity = FIRST_CAPACITY
  let size = 0
  let corrections = 0
  let times = new Float64Array(capacity)
  let labels = new Uint8Array(capacity)
  let prints = new Uint32Array(2 * capacity)
  let probabilities = arms.map(() => new Float64Array(capacity))
  let flags = arms.map(() => new Uint8Array(capacity))
  let unset = arms.map(() => new Uint8Array(capacity))
  let slots = emptySlots(capacity)

  function grow(): void {
    capacity = Math.ceil(capacity * 1.5)
    times = longer(times, new Float64Array(capacity))
    labels = longer(labels, new Uint8Array(capacity))
    prints = longer(prints, new Uint32Array(2 * capacity))
    probabilities = probabilities.map((column) => longer(column, new Float64Array(capacity)))
    flags = flags.map((column) => longer(column, new Uint8Array(capacity)))
    unset = unset.map((column) => longer(column, new Uint8Array(capacity)))
    if (slots.length >= capacity * 1.25) return
    slots = emptySlots(capacity)
    for (let row = 0; row < size; row++) slots[slotOf(prints[2 * row]!, prints[2 * row + 1]!)] = row
  }

  /** The slot that holds this fingerprint, or the empty one where it belongs. */
  function slotOf(first: number, second: number): number {
    const mask = slots.length - 1
    for (let slot = first & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot]!
      if (row < 0 || (prints[2 * row] === first && prints[2 * row + 1] === second)) return slot
    }
  }

  function rowFor(id: string): number {
    const first = fingerprint(id, 0x811c9dc5)
    const second = fingerprint(id, 0x2545f491)
    const known = slots[slotOf(first, second)]!
    if (known >= 0) {
      corrections++
      return known
    }
    if (size === capacity) grow()
    prints[2 * size] = first
    prints[2 * size + 1] = second
    slots[slotOf(first, second)] = size
    return size++
  }

  return {
    get size() {
      return size
    },
    get corrections() {
      return corrections
    },
    put(outcome) {
      const given = arms.map((name) => checked(outcome, name))
      const row = rowFor(outcome.id)
      times[row] = outcome.eventTimeMs
      labels[row] = outcome.label ? 1 : 0
      given.forEach((arm, index) => {
        probabilities[index]![row] = arm.probability
        flags[index]![row] = isFlagged(arm) ? 1 : 0
        unset[index]![row] = arm.threshold < 1 ? 0 : 1
      })
    },
    between(fromMs, untilMs) {
      let count = 0
      for (let row = 0; row < size; row++) if (times[row]! >= fromMs && times[row]! < untilMs) count++
      const order = new Uint32Array(count)
      let filled = 0
      for (let row = 0; row < size; row++) if (times[row]! >= fromMs && times[row]! < untilMs) order[filled++] = row
      if (order.some((row, at) => at > 0 && times[row]! < times[order[at - 1]!]!)) {
        order.sort((a, b) => times[a]! - times[b]! || a - b)
      }
      return {
        timesMs: taken(times, order, new Float64Array(count)),
        labels: taken(labels, order, new Uint8Array(count)),
        arms: arms.map((_, index) => ({
          probabilities: taken(probabilities[index]!, order, new Float64Array(count)),
          flags: taken(flags[index]!, order, new Uint8Array(count)),
          unset: taken(unset[index]!, order, new Uint8Array(count)),
        })),
      }
    },
  }
}

function checked(outcome: EvaluatedOutcome, name: string): ArmOutcome {
  const arm = outcome.arms[name]
  if (arm === undefined) throw new RangeError(`outcome of ${outcome.id} lacks the arm ${name}`)
  if (!(arm.probability >= 0 && arm.probability <= 1)) {
    throw new RangeError(`outcome of ${outcome.id}: ${arm.probability} of ${name} is no probability`)
  }
  return arm
}

/** What the threshold says; rules that raised the decision are no part of it. */
export function isFlagged(arm: ArmOutcome): boolean {
  return arm.threshold < 1 && arm.probability >= arm.threshold
}

/** FNV-1a over UTF-16 units, then mixed. */
function fingerprint(id: string, basis: number): number {
  let hash = basis
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad)
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
  return (hash ^ (hash >>> 15)) >>> 0
}

/** At most three quarters full at the given capacity; a power of two. */
function emptySlots(capacity: number): Int32Array {
  return new Int32Array(2 ** Math.ceil(Math.log2(capacity / 0.75))).fill(-1)
}

function longer<Column extends Float64Array | Uint32Array | Uint8Array>(old: Column, fresh: Column): Column {
  fresh.set(old)
  return fresh
}

function taken<Column extends Float64Array | Uint8Array>(from: Column, rows: Uint32Array, into: Column): Column {
  for (let i = 0; i < rows.length; i++) into[i] = from[rows[i]!]!
  return into
}
