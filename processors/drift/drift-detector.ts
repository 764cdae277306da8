export type DriftSignal = 'none' | 'warning' | 'drift'

/**
 * Watches a stream of numbers for a change. Memory is bounded, and the same numbers give the same signals. After
 * 'drift' a detector starts anew on what follows (ADWIN keeps the part of its window that agrees).
 */
export interface DriftDetector {
  /** Takes the next number. One that is not finite is ignored and gives 'none'. */
  update(value: number): DriftSignal
  /** The whole state: decoded, it continues bit for bit. */
  encode(): Uint8Array
}
