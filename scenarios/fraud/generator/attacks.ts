import type { Random } from '../../../processors/random.ts'
import type { Agenda } from './agenda.ts'
import { type Attacker, createAttackers } from './attackers.ts'
import type { Climate } from './drift.ts'
import { ATTACKS, type GeneratorOptions } from './generated-payment.ts'
import type { World } from './world.ts'

/** Plans every fraud that starts on the given day. */
export type PlanAttacks = (day: number, climate: Climate, agenda: Agenda) => void

/**
 * Fraud on top of the honest stream: per attack type, as many episodes a day as its share of the fraud rate asks for
 * (Poisson).
 */
export function createAttacks(options: GeneratorOptions, world: World, random: Random): PlanAttacks {
  const attackers = createAttackers(options, world, random)
  const fraudsPerDay = (options.fraudRate ?? 0.0125) * (options.payments / options.days)
  return (day, climate, agenda) => {
    ATTACKS.forEach((attack, index) => {
      const attacker: Attacker = attackers[attack]
      const share = climate.shares[index]!
      attacker.newDay?.(day, share)
      const episodes = (fraudsPerDay * share) / attacker.paymentsPerEpisode(climate)
      for (let count = random.poisson(episodes); count > 0; count--) attacker.strike(day, climate, agenda)
    })
  }
}
