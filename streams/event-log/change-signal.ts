/** How a log wakes its readers: `raise` when something was appended, `wait` for it. */
export interface ChangeSignal {
  raise(): void
  /** Resolves at once when `raise` was called since the last `wait` resolved; else at the next one, or after timeoutMs. */
  wait(timeoutMs: number): Promise<void>
  /** Resolves whoever waits. */
  close(): void
}

/**
 * `poll` says whether something changed that nobody raised (another process wrote); it is asked when a wait begins
 * and every `pollMs` of it. Without it a wait costs one timer.
 */
export function createChangeSignal(poll: (() => boolean) | null = null, pollMs = 5): ChangeSignal {
  let isRaised = false
  const waiting = new Set<() => void>()

  const raise = () => {
    isRaised = true
    for (const wake of waiting) wake()
  }

  const wait = (timeoutMs: number) => {
    if (isRaised || poll?.() === true) {
      isRaised = false
      return Promise.resolve()
    }
    return new Promise<void>((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer)
        clearInterval(interval)
        waiting.delete(wake)
      }
      const wake = () => {
        stop()
        isRaised = false
        resolve()
      }
      const ask = () => {
        try {
          if (poll?.() === true) wake()
        } catch (cause) {
          stop()
          reject(cause)
        }
      }
      const timer = setTimeout(wake, timeoutMs)
      const interval = poll === null ? undefined : setInterval(ask, pollMs)
      waiting.add(wake)
    })
  }

  return {
    raise,
    wait,
    close() {
      for (const wake of waiting) wake()
    },
  }
}
