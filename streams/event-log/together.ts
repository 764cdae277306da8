import type { MaybePromise } from './event-log.ts'

/** The bracket around many commits that become durable at once: `EventLog.together` of the embedded logs. */
export interface Together {
  isRunning(): boolean
  /** From here on the bracket can only fail, even when `work` swallows the error. */
  spoil(error: unknown): void
  run<T>(work: () => MaybePromise<T>): MaybePromise<T>
}

/**
 * `end` is called once per outermost bracket: with 'keep' to make everything durable (it may throw), with 'undo' to
 * take everything back. A bracket inside a bracket joins it, and its failure fails the outer one too.
 */
export function createTogether(end: (how: 'keep' | 'undo') => void): Together {
  let depth = 0
  let spoiled: { readonly error: unknown } | null = null

  const fail = (error: unknown): never => {
    spoiled ??= { error }
    depth -= 1
    if (depth > 0) throw error
    const first = spoiled.error
    spoiled = null
    end('undo')
    throw first
  }

  const succeed = <T>(result: T): T => {
    if (spoiled !== null) return fail(spoiled.error)
    depth -= 1
    if (depth === 0) end('keep')
    return result
  }

  return {
    isRunning: () => depth > 0,
    spoil(error) {
      if (depth > 0) spoiled ??= { error }
    },
    run(work) {
      depth += 1
      let result: ReturnType<typeof work>
      try {
        result = work()
      } catch (error) {
        return fail(error)
      }
      return result instanceof Promise ? result.then(succeed, fail) : succeed(result)
    },
  }
}
