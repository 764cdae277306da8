import { RheoError } from '../schemas/errors.ts'
import type { Verdict } from './policies/policy.ts'

/** What a rule can raise a decision to. */
export type RuleAction = Exclude<Verdict, 'allow'>

/** A declared rule: plain and immutable. */
export interface Rule {
  readonly name: string
  /** Raise it whenever the rule's meaning changes: it stands in every score that the rule applied to. */
  readonly version: number
  readonly action: RuleAction
  /** The features that it reads, by name. */
  readonly features: readonly string[]
  /** The values are those of `features`, in that order; NaN is missing. The array is used again: keep none of it. */
  readonly applies: (values: readonly number[], event: object) => boolean
}

/**
 * A rule beside the model: where `applies` says so, the decision is at least `action`, whatever the probability is. It never
 * changes the probability, and never makes a decision milder.
 *
 * `applies` is a pure function of the named features, as the model sees them, and of the event's own fields. A missing
 * feature is NaN, and comparisons with NaN are false: a rule about what is not known does not apply.
 *
 *     rule('device-farm', 'challenge', ['deviceId.distinct.customerId.24h'], ([cards]) => cards >= 5)
 */
export function rule<const Names extends readonly string[], E extends object = Readonly<Record<string, unknown>>>(
  name: string,
  action: RuleAction,
  features: Names,
  applies: (values: { readonly [I in keyof Names]: number }, event: E) => boolean,
  version = 1,
): Rule {
  return { name, version, action, features, applies: applies as unknown as Rule['applies'] }
}

/** Rules bound to their places in the feature vector. */
export interface RuleSet {
  readonly rules: readonly Rule[]
  /** The rules that apply, in order of declaration. `vector`: float64 [features], complete. Allocates only where one applies. */
  check(event: object, vector: Float64Array): readonly Rule[]
}

const SEVERITY: Readonly<Record<Verdict, number>> = { allow: 0, review: 1, challenge: 2, block: 3 }
const NONE: readonly Rule[] = []
export const NO_NAMES: readonly string[] = []

/** Binds rules to features by name. Throws CONFIG_INVALID for a feature that is not declared, or a name given twice. */
export function compileRules(rules: readonly Rule[], featureNames: readonly string[]): RuleSet {
  const names = new Set<string>()
  const compiled = rules.map((each) => {
    if (each.name === '' || names.has(each.name)) {
      throw new RheoError('CONFIG_INVALID', `two rules are called "${each.name}", or a rule has no name`, {
        hint: 'Scores name the rules that applied: give each its own name.',
      })
    }
    if (!Number.isSafeInteger(each.version) || each.version < 1) {
      throw new RheoError('CONFIG_INVALID', `the rule "${each.name}" has the version ${each.version}`, {
        hint: 'Versions are whole numbers from 1 on.',
      })
    }
    names.add(each.name)
    const slots = each.features.map((feature) => slotOf(feature, featureNames, each.name))
    return { each, slots, values: slots.map(() => Number.NaN) }
  })
  return {
    rules,
    check(event, vector) {
      let hits: Rule[] | null = null
      for (const { each, slots, values } of compiled) {
        for (let i = 0; i < slots.length; i++) values[i] = vector[slots[i]!]!
        if (!each.applies(values, event)) continue
        if (hits === null) hits = [each]
        else hits.push(each)
      }
      return hits ?? NONE
    },
  }
}

/** The severest of a decision and the actions of the rules that applied. */
export function raisedBy(hits: readonly Rule[], decision: Verdict): Verdict {
  let raised = decision
  for (const { action } of hits) if (SEVERITY[action] > SEVERITY[raised]) raised = action
  return raised
}

/** The rules' names; allocates only where one applied. */
export function namesOf(hits: readonly Rule[]): readonly string[] {
  return hits.length === 0 ? NO_NAMES : hits.map(({ name }) => name)
}

function slotOf(feature: string, names: readonly string[], by: string): number {
  const slot = names.indexOf(feature)
  if (slot >= 0) return slot
  const [start] = feature.split('.')
  const near = names.filter((name) => name.split('.')[0] === start)
  throw new RheoError('CONFIG_INVALID', `the rule "${by}" reads the feature "${feature}", which is not declared`, {
    hint: `Declared are: ${(near.length > 0 ? near : names).join(', ') || 'none'}.`,
  })
}
