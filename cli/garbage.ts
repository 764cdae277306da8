import { setFlagsFromString } from 'node:v8'

/**
 * Lets buffers count towards the limit that the heap has anyway. Else V8 collects the whole heap whenever 64 MiB of buffers
 * have come, however many of them are garbage already: twice a second for a busy worker, half of its CPU time.
 *
 * `growingPercent`: how much the heap, with buffers, may grow over what was alive after a collection before the next one.
 * Default: as V8 sees fit, which is up to four times as much where there is memory.
 */
export function collectBySize(growingPercent?: number): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit')
  if (growingPercent !== undefined) setFlagsFromString(`--heap-growing-percent=${growingPercent}`)
}
