import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

const MIB = 1_048_576
const LOOK_EVERY_MS = 100

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

/**
 * Stops the space for young objects from growing once it has `mib`, for a process whose memory counts: it takes 128 where
 * there is memory, and from a few dozen on more of it hardly saves time. Threads that start later begin with as much, since
 * theirs cannot grow either.
 */
export function boundYoungSpace(mib: number): void {
  const look = setInterval(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
    if (young !== undefined && young.space_size < mib * MIB) return
    clearInterval(look)
    setFlagsFromString('--semi-space-growth-factor=1')
    // It has two halves.
    setFlagsFromString(`--min-semi-space-size=${mib / 2}`)
  }, LOOK_EVERY_MS)
  look.unref()
}
