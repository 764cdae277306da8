import type { Random } from '../../../processors/random.ts'
import type { Agenda } from './agenda.ts'
import type { Climate } from './drift.ts'
import { DAY_MS, type DraftPayment, type GeneratorOptions, MINUTE_MS } from './generated-payment.ts'
import { timeOfDay } from './hours.ts'
import { CATEGORIES } from './merchants.ts'
import { CITIES } from './places.ts'
import { addressIn, type Customer, deviceId, popular, round4, type Terminal, type World, weighted } from './world.ts'

const WEEKDAY_FACTOR = [1.0, 0.9, 0.92, 0.96, 1.02, 1.14, 1.18] // Sunday first
const TRAVEL_WEIGHTS = CITIES.map((city) => 1 + city.weight / 6)

/** Plans the honest payments of one customer on one day, and the sprees and retries that follow from them. */
export function planHonestDay(
  customer: Customer,
  day: number,
  climate: Climate,
  world: World,
  options: GeneratorOptions,
  random: Random,
  agenda: Agenda,
): void {
  if (day < customer.joinsOnDay) return
  live(customer, day, climate, random)
  const midnight = options.start + day * DAY_MS
  const weekday = WEEKDAY_FACTOR[(Math.floor(midnight / DAY_MS) + 4) % 7]!
  for (let count = random.poisson(customer.rate * weekday); count > 0; count--) {
    const timeMs = midnight + timeOfDay(customer.hours, random)
    const payment = honestPayment(customer, timeMs, day, climate, world, options, random)
    agenda.plan(payment, null)
    if (payment.declined && random.chance(0.45)) {
      const again = payment.eventTime + 15_000 + random.below(2 * MINUTE_MS)
      agenda.plan({ ...payment, eventTime: again, declined: random.chance(0.4) }, null)
    }
    if (random.chance(0.025)) planSpree(payment, customer, day, climate, world, options, random, agenda)
  }
}

/** What changes in a life: a trip begins, a telephone is replaced. */
function live(customer: Customer, day: number, climate: Climate, random: Random): void {
  if (day >= customer.trip.untilDay && random.chance(0.006 * climate.season)) {
    const length = 2 + random.below(8)
    customer.trip = { city: weighted(TRAVEL_WEIGHTS, random), fromDay: day, untilDay: day + length }
  }
  if (random.chance(0.004)) customer.devices[random.below(customer.devices.length)] = deviceId(random)
}

function planSpree(
  first: DraftPayment,
  customer: Customer,
  day: number,
  climate: Climate,
  world: World,
  options: GeneratorOptions,
  random: Random,
  agenda: Agenda,
): void {
  let timeMs = first.eventTime
  for (let count = 1 + random.below(4); count > 0; count--) {
    timeMs += MINUTE_MS + random.below(25 * MINUTE_MS)
    agenda.plan(honestPayment(customer, timeMs, day, climate, world, options, random), null)
  }
}

function honestPayment(
  customer: Customer,
  timeMs: number,
  day: number,
  climate: Climate,
  world: World,
  options: GeneratorOptions,
  random: Random,
): DraftPayment {
  const away = day >= customer.trip.fromDay && day < customer.trip.untilDay
  const terminal = world.terminals[chooseTerminal(customer, away, climate, world, random)]!
  const outlier = random.chance(0.015) ? 2 + 5 * random.float() : 1
  const amount = priceAt(terminal, customer, climate.prices * outlier, random)
  const declined = random.chance(customer.declineRate * (outlier > 1 ? 3 : 1))
  const payment = paymentAt(terminal, customer, timeMs, amount, declined)
  const whereabouts = away ? customer.trip.city : customer.city
  if (terminal.online) {
    const inApp = random.chance((customer.prefersApp ? 0.55 : 0.08) + 0.3 * climate.adoption)
    const shared = random.chance(0.02)
    const device = shared
      ? world.publicDevices[random.below(world.publicDevices.length)]!
      : customer.devices[random.chance(0.8) ? 0 : customer.devices.length - 1]!
    onDevice(payment, device, inApp ? 'app' : 'ecommerce', whereabouts, random)
    if (!away && !shared && random.chance(0.7)) payment.ip = customer.ip
  } else if (terminal.category !== CASH && usesWallet(customer, day, options, random)) {
    payment.channel = 'wallet'
    payment.deviceId = customer.devices[0]!
  }
  return payment
}

const CASH = CATEGORIES.findIndex((category) => category.name === 'cash')

function usesWallet(customer: Customer, day: number, options: GeneratorOptions, random: Random): boolean {
  const adopted =
    options.world === 'drift' ? day / options.days >= customer.adoptsWalletAt : customer.adoptsWalletAt < 0.5
  return adopted && random.chance(0.8)
}

function chooseTerminal(customer: Customer, away: boolean, climate: Climate, world: World, random: Random): number {
  const online = world.onlineShops
  if (away && random.chance(0.75)) {
    const counters = world.countersIn[customer.trip.city]!
    if (counters.length > 0) return popular(counters, random)
  }
  if (random.chance(0.72)) return popular(customer.usual, random)
  const counters = world.countersIn[customer.city]!
  const wantsOnline = random.chance(Math.min(0.9, customer.onlineShare * climate.season))
  if (online.length > 0 && (wantsOnline || counters.length === 0)) return popular(online, random)
  return popular(counters, random)
}

/** What this customer would pay at this terminal, in euros and cents. */
export function priceAt(terminal: Terminal, customer: Customer, factor: number, random: Random): number {
  const category = CATEGORIES[terminal.category]!
  const amount =
    category.medianAmount * terminal.priceLevel * customer.spend * factor * random.lognormal(category.sigma)
  const cents = Math.max(50, Math.min(2_500_000, Math.round(amount * 100)))
  return random.chance(0.3) ? Math.max(1, Math.round(cents / 100)) : cents / 100
}

/** A payment with the card at a terminal's counter; an online one still lacks its device. */
export function paymentAt(
  terminal: Terminal,
  customer: Customer,
  timeMs: number,
  amount: number,
  declined: boolean,
): DraftPayment {
  return {
    paymentId: '',
    eventTime: timeMs,
    customerId: customer.id,
    terminalId: terminal.id,
    deviceId: null,
    ip: null,
    country: CITIES[terminal.city]!.country,
    latitude: terminal.latitude,
    longitude: terminal.longitude,
    merchantCategory: CATEGORIES[terminal.category]!.name,
    channel: CATEGORIES[terminal.category]!.name === 'cash' ? 'atm' : 'card',
    currency: 'EUR',
    amount,
    declined,
  }
}

/** Makes it a payment from a device: place and country are those of the device's address, as providers report them. */
export function onDevice(
  payment: DraftPayment,
  device: string,
  channel: 'app' | 'ecommerce',
  city: number,
  random: Random,
): void {
  const place = CITIES[city]!
  payment.channel = channel
  payment.deviceId = device
  payment.ip = addressIn(city, random)
  payment.country = place.country
  payment.latitude = round4(place.latitude + 0.1 * (random.float() - 0.5))
  payment.longitude = round4(place.longitude + 0.1 * (random.float() - 0.5))
}
