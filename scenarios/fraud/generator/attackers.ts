import type { Random } from '../../../processors/random.ts'
import type { Agenda } from './agenda.ts'
import type { Climate } from './drift.ts'
import { type AttackName, DAY_MS, type GeneratorOptions, HOUR_MS, MINUTE_MS } from './generated-payment.ts'
import { onDevice, paymentAt, priceAt } from './habits.ts'
import { timeAtNight, timeOfDay } from './hours.ts'
import { categoryIndex } from './merchants.ts'
import { CITIES } from './places.ts'
import { type Customer, deviceId, popular, type Terminal, type World } from './world.ts'

export interface Attacker {
  /** Mean frauds of one episode. */
  paymentsPerEpisode(climate: Climate): number
  /** Plans one episode that starts on this day. */
  strike(day: number, climate: Climate, agenda: Agenda): void
  /** What the attackers prepare each morning; `share` is their part of the fraud, 0: not active. */
  newDay?(day: number, share: number): void
}

const EARLY_TASTE = ['electronics', 'fashion', 'travel', 'electronics'].map(categoryIndex)
const LATE_TASTE = ['gift_cards', 'marketplace', 'digital', 'marketplace'].map(categoryIndex)
const TESTING_TASTE = ['charity', 'digital'].map(categoryIndex)
const TAKEOVER_TASTE = ['travel', 'gift_cards', 'marketplace', 'electronics'].map(categoryIndex)
const FARM_TASTE = ['marketplace', 'digital', 'gift_cards', 'fashion'].map(categoryIndex)

/** The five kinds of fraudsters. */
export function createAttackers(
  options: GeneratorOptions,
  world: World,
  random: Random,
): Readonly<Record<AttackName, Attacker>> {
  const victim = (): Customer => world.customers[random.below(world.customers.length)]!
  const shop = (taste: readonly number[]): Terminal => {
    const terminals = world.byCategory[taste[random.below(taste.length)]!]!
    return world.terminals[popular(terminals, random)]!
  }
  const taste = (climate: Climate): readonly number[] => (random.chance(climate.migration) ? LATE_TASTE : EARLY_TASTE)
  const midnight = (day: number): number => options.start + day * DAY_MS
  const anyCity = (): number => random.below(CITIES.length)

  /** A card or its number in a thief's hands: a burst of payments, large and in strange places while thieves are careless. */
  const stolenCard: Attacker = {
    paymentsPerEpisode: (climate) => 5.5 - 3 * climate.caution,
    strike(day, climate, agenda) {
      const customer = victim()
      const abroad = random.chance(0.6 - 0.4 * climate.caution) ? anyCity() : customer.city
      const device = deviceId(random)
      let timeMs = midnight(day) + timeOfDay(0, random)
      const payments = 1 + random.poisson(4.5 - 3 * climate.caution)
      for (let done = 0; done < payments; done++) {
        const terminal = shop(taste(climate))
        const greed = (1.2 + 2.6 * random.float()) * (1 - 0.55 * climate.caution) * climate.prices
        const declined = random.chance(0.22 - 0.12 * climate.caution)
        const payment = paymentAt(terminal, customer, timeMs, priceAt(terminal, customer, greed, random), declined)
        if (terminal.online || random.chance(0.4 + 0.5 * climate.migration)) {
          onDevice(payment, device, random.chance(climate.migration) ? 'app' : 'ecommerce', abroad, random)
        }
        agenda.plan(payment, 'stolen-card')
        timeMs += MINUTE_MS + random.exponential((25 + 200 * climate.caution) * MINUTE_MS)
      }
    },
  }

  /** Terminals with a skimmer: for some days, part of what is paid there is paid with copied cards. */
  const skimmed: { terminal: Terminal; untilDay: number }[] = []
  const terminalCompromise: Attacker = {
    paymentsPerEpisode: () => 1,
    newDay(day, share) {
      for (let i = skimmed.length - 1; i >= 0; i--) if (day >= skimmed[i]!.untilDay) skimmed.splice(i, 1)
      const wanted = Math.max(1, Math.round((share * options.payments) / options.days / 500))
      while (share > 0 && skimmed.length < wanted) {
        const terminal = world.terminals[random.below(world.terminals.length)]!
        if (!terminal.online) skimmed.push({ terminal, untilDay: day + 4 + random.below(12) })
      }
    },
    strike(day, climate, agenda) {
      const { terminal } = skimmed[random.below(skimmed.length)]!
      const timeMs = midnight(day) + timeOfDay(1, random)
      const customer = victim()
      const amount = priceAt(terminal, customer, climate.prices * (0.9 + random.float()), random)
      agenda.plan(paymentAt(terminal, customer, timeMs, amount, random.chance(0.08)), 'terminal-compromise')
    },
  }

  /** Card numbers tried with small amounts, often refused; what works is emptied hours later. */
  const cardTesting: Attacker = {
    paymentsPerEpisode: () => 4.3,
    strike(day, climate, agenda) {
      const customer = victim()
      const device = deviceId(random)
      const city = anyCity()
      let timeMs = midnight(day) + timeOfDay(2, random)
      for (let tries = 1 + random.poisson(1.6); tries > 0; tries--) {
        const cents = 60 + random.below(300)
        const payment = paymentAt(shop(TESTING_TASTE), customer, timeMs, cents / 100, random.chance(0.35))
        onDevice(payment, device, 'ecommerce', city, random)
        agenda.plan(payment, 'card-testing')
        timeMs += 10_000 + random.exponential(4 * MINUTE_MS)
      }
      timeMs += HOUR_MS + random.exponential(7 * HOUR_MS)
      for (let hauls = 1 + random.poisson(0.7); hauls > 0; hauls--) {
        const terminal = shop(LATE_TASTE)
        const amount = priceAt(terminal, customer, climate.prices * (1.5 + 2 * random.float()), random)
        const payment = paymentAt(terminal, customer, timeMs, amount, random.chance(0.15))
        onDevice(payment, random.chance(0.6) ? device : deviceId(random), 'app', customer.city, random)
        agenda.plan(payment, 'card-testing')
        timeMs += 5 * MINUTE_MS + random.exponential(HOUR_MS)
      }
    },
  }

  /** Rooms full of telephones: each pays once or twice with many people's cards, in ordinary amounts, by day. */
  const farm: { device: string; city: number; untilDay: number }[] = []
  const deviceFarm: Attacker = {
    paymentsPerEpisode: () => 1.25,
    newDay(day, share) {
      for (let i = farm.length - 1; i >= 0; i--) if (day >= farm[i]!.untilDay) farm.splice(i, 1)
      const wanted = Math.max(2, Math.round((share * options.payments) / options.days / 250))
      while (share > 0 && farm.length < wanted) {
        farm.push({ device: deviceId(random), city: anyCity(), untilDay: day + 1 + random.below(3) })
      }
    },
    strike(day, climate, agenda) {
      const phone = farm[random.below(farm.length)]!
      const customer = victim()
      let timeMs = midnight(day) + timeOfDay(0, random)
      for (let count = random.chance(0.25) ? 2 : 1; count > 0; count--) {
        const terminal = shop(FARM_TASTE)
        const amount = priceAt(terminal, customer, climate.prices * (0.5 + 0.8 * random.float()), random)
        const payment = paymentAt(terminal, customer, timeMs, amount, random.chance(0.05))
        const city = random.chance(0.7) ? customer.city : phone.city
        onDevice(payment, phone.device, random.chance(0.85) ? 'app' : 'ecommerce', city, random)
        agenda.plan(payment, 'device-farm')
        timeMs += random.exponential(90 * MINUTE_MS)
      }
    },
  }

  /** Somebody else logs in: a device never seen with this customer, from the home country, mostly at night. */
  const accountTakeover: Attacker = {
    paymentsPerEpisode: () => 2.1,
    strike(day, climate, agenda) {
      const customer = victim()
      const device = deviceId(random)
      let timeMs = midnight(day) + (random.chance(0.75) ? timeAtNight(random) : timeOfDay(0, random))
      for (let count = 1 + random.poisson(1.1); count > 0; count--) {
        const terminal = shop(TAKEOVER_TASTE)
        const amount = priceAt(terminal, customer, climate.prices * (1 + 1.8 * random.float()), random)
        const payment = paymentAt(terminal, customer, timeMs, amount, random.chance(0.04))
        onDevice(payment, device, random.chance(0.7) ? 'app' : 'ecommerce', customer.city, random)
        agenda.plan(payment, 'account-takeover')
        timeMs += 2 * MINUTE_MS + random.exponential(50 * MINUTE_MS)
      }
    },
  }

  return {
    'stolen-card': stolenCard,
    'terminal-compromise': terminalCompromise,
    'card-testing': cardTesting,
    'device-farm': deviceFarm,
    'account-takeover': accountTakeover,
  }
}
