import type { NamedNumbers } from '../../processors/step.ts'
import { RheoError } from '../../schemas/errors.ts'
import type { StateChanges, StatePut, TaskState } from '../../streams/state/state-store.ts'

export const put = (key: string, value: string, more: Partial<StatePut> = {}): StatePut => ({
  table: 't',
  key,
  value: Buffer.from(value),
  expiresAtMs: null,
  ...more,
})

export const changes = (more: Partial<StateChanges>): StateChanges => ({
  positions: new Map(),
  puts: [],
  deletes: [],
  watermarkMs: Number.NEGATIVE_INFINITY,
  ...more,
})

export const named = (numbers: Readonly<Record<string, number>>): NamedNumbers => ({
  names: Object.keys(numbers),
  values: Float64Array.from(Object.values(numbers)),
})

export const at = (next: bigint): ReadonlyMap<string, bigint> => new Map([['topic', next]])

export async function valueIn(state: TaskState, key: string): Promise<string | undefined> {
  const [value] = await state.load('t', [key])
  return value === undefined ? undefined : Buffer.from(value).toString()
}

/** The failure that `work` ends with: its code, and whether it may be retried. */
export async function failureOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (error instanceof RheoError) return error.retryable ? `${error.code}, retryable` : error.code
    throw error
  }
  throw new Error('expected an error')
}
