/** Labels waiting for their time. Compact: three arrays, no object per label. */
export interface PendingLabels {
  readonly size: number
  /** When the earliest is due; Infinity when none waits. */
  readonly nextMs: number
  add(dueMs: number, id: string, truth: boolean): void
  /** Takes the earliest; labels due at the same time come in the order in which they were added. */
  take(): { readonly dueMs: number; readonly id: string; readonly truth: boolean }
}

/** Labels taken before the arrays are cut: copying what is left then costs less than a step per label. */
const cutAfter = 4096

/**
 * A queue sorted by due time. Labels come nearly in order (their events do, and one file has one delay), so that
 * most go to the end, and the others a few places before it.
 */
export function createPendingLabels(): PendingLabels {
  let due: number[] = []
  let ids: string[] = []
  let truths: boolean[] = []
  let head = 0

  return {
    get size() {
      return due.length - head
    },
    get nextMs() {
      return head < due.length ? due[head]! : Number.POSITIVE_INFINITY
    },
    add(dueMs, id, truth) {
      let at = due.length
      while (at > head && due[at - 1]! > dueMs) at--
      if (at === due.length) {
        due.push(dueMs)
        ids.push(id)
        truths.push(truth)
      } else {
        due.splice(at, 0, dueMs)
        ids.splice(at, 0, id)
        truths.splice(at, 0, truth)
      }
    },
    take() {
      const first = { dueMs: due[head]!, id: ids[head]!, truth: truths[head]! }
      head++
      if (head >= cutAfter && 2 * head > due.length) {
        due = due.slice(head)
        ids = ids.slice(head)
        truths = truths.slice(head)
        head = 0
      }
      return first
    },
  }
}
