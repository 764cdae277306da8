import { createRandom } from '../../../processors/random.ts'
import { createAgenda } from './agenda.ts'
import { createAttacks } from './attacks.ts'
import { climateOn } from './drift.ts'
import { DAY_MS, type GeneratedPayment, type GeneratorOptions } from './generated-payment.ts'
import { planHonestDay } from './habits.ts'
import { buildWorld } from './world.ts'

/**
 * A seeded stream of card payments with honest habits and fraud, in order of event time. Lazy: one day is held at a
 * time, so memory does not grow with the length of the stream. The same options give the same bytes everywhere: only
 * the four operations, square roots and whole-number arithmetic are used.
 *
 * @throws RangeError when days or payments are not positive whole numbers
 */
export function* generatePayments(options: GeneratorOptions): Generator<GeneratedPayment, void> {
  if (!Number.isInteger(options.days) || options.days < 1) throw new RangeError(`days must be ≥ 1, not ${options.days}`)
  if (!Number.isInteger(options.payments) || options.payments < 1) {
    throw new RangeError(`payments must be ≥ 1, not ${options.payments}`)
  }
  if (!Number.isInteger(options.start) || options.start % DAY_MS !== 0) {
    throw new RangeError(`start must be a midnight in UTC, not ${options.start}`)
  }
  const world = buildWorld(options)
  const life = createRandom(options.seed, 2)
  const attack = createAttacks(options, world, createRandom(options.seed, 3))
  const agenda = createAgenda(options.start)
  for (let day = 0; day < options.days; day++) {
    const climate = climateOn(day, options)
    for (const customer of world.customers) planHonestDay(customer, day, climate, world, options, life, agenda)
    attack(day, climate, agenda)
    yield* agenda.takeDay()
  }
}
