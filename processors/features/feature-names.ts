import { RheoError } from '../../schemas/errors.ts'
import type { EntitySpec } from './declare.ts'

/** One feature of an entity: one aggregate over one window, or with one half-life, or of the newest event. */
export interface EntityFeaturePart {
  readonly name: string
  readonly spec: EntitySpec
  readonly windowMs: number | null
  readonly halfLifeMs: number | null
}

const WITHOUT_WINDOW = new Set(['sinceLast', 'last', 'changed', 'speed'])
const DECAYING = new Set(['count', 'mean', 'ratio'])

/**
 * The features that one declaration stands for, named
 * `<key field>.<aggregate>[.<fields>][.where.<filter>][.<kind, unless main>][.halfLife].<duration>`.
 * Throws CONFIG_INVALID when the declaration does not say everything, or asks for what the aggregate cannot do.
 */
export function entityFeatureParts(spec: EntitySpec, mainKind: string): readonly EntityFeaturePart[] {
  const what = `${spec.aggregate}(${spec.fields.map((field) => `'${field}'`).join(', ')})`
  if (spec.by === null || spec.by === '') throw invalid(`${what} names no entity`, "Add .by('customerId') or the like.")
  const stem = spec.name ?? derivedStem(spec, mainKind)
  if (WITHOUT_WINDOW.has(spec.aggregate)) {
    if (spec.windows.length + spec.halfLives.length > 0)
      throw invalid(`${what} takes no window`, 'Remove .over(…) and .halfLife(…).')
    return [{ name: stem, spec, windowMs: null, halfLifeMs: null }]
  }
  if (spec.halfLives.length > 0 && !DECAYING.has(spec.aggregate)) {
    throw invalid(`${what} cannot decay`, 'halfLife(…) works for count, mean and ratio.')
  }
  if (spec.windows.length + spec.halfLives.length === 0)
    throw invalid(`${what} has no window`, "Add .over('24 h') or the like.")
  if (spec.halfLives.some((halfLife) => halfLife.ms < 1_000))
    throw invalid(`${what} decays within a second`, 'Use half-lives of at least 1 s.')
  const alone = spec.name !== null && spec.windows.length + spec.halfLives.length === 1
  return [
    ...spec.windows.map(({ ms, label }) => ({
      name: alone ? stem : `${stem}.${label}`,
      spec,
      windowMs: ms,
      halfLifeMs: null,
    })),
    ...spec.halfLives.map(({ ms, label }) => ({
      name: alone ? stem : `${stem}.halfLife.${label}`,
      spec,
      windowMs: null,
      halfLifeMs: ms,
    })),
  ]
}

function derivedStem(spec: EntitySpec, mainKind: string): string {
  const parts = [spec.by, spec.aggregate, ...(spec.aggregate === 'speed' ? [] : spec.fields)]
  if (spec.where !== null) parts.push('where', spec.where.kind === 'field' ? spec.where.field : spec.where.name)
  if (spec.of !== null && spec.of !== mainKind) parts.push(spec.of)
  return parts.join('.')
}

function invalid(text: string, hint: string): RheoError {
  return new RheoError('CONFIG_INVALID', `feature ${text}`, { hint })
}
