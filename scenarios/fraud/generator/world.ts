import { createRandom, type Random } from '../../../processors/random.ts'
import type { GeneratorOptions } from './generated-payment.ts'
import { CATEGORIES } from './merchants.ts'
import { CITIES } from './places.ts'

export interface Terminal {
  readonly id: string
  readonly category: number
  readonly city: number
  readonly online: boolean
  readonly latitude: number
  readonly longitude: number
  /** How its prices compare with its category. */
  readonly priceLevel: number
}

export interface Customer {
  readonly id: string
  readonly city: number
  readonly latitude: number
  readonly longitude: number
  readonly ip: string
  /** Payments a day, mean. */
  readonly rate: number
  /** How this customer's amounts compare with the median. */
  readonly spend: number
  /** Index into HOUR_PROFILES. */
  readonly hours: number
  /** Terminals this customer returns to, the favourites first. */
  readonly usual: readonly number[]
  readonly onlineShare: number
  readonly declineRate: number
  /** Share of the stream after which this customer pays with a telephone at the counter; > 1: never. */
  readonly adoptsWalletAt: number
  readonly prefersApp: boolean
  /** First day on which this customer exists. */
  readonly joinsOnDay: number
  readonly devices: string[]
  /** The trip under way or the last one: destination and days [from, until). */
  trip: { city: number; fromDay: number; untilDay: number }
}

export interface World {
  readonly customers: readonly Customer[]
  readonly terminals: readonly Terminal[]
  /** Counters by city. */
  readonly countersIn: readonly (readonly number[])[]
  readonly onlineShops: readonly number[]
  readonly byCategory: readonly (readonly number[])[]
  /** Devices in libraries, hotels and internet cafés, shared by strangers. */
  readonly publicDevices: readonly string[]
}

/** Mean payments of a customer per day, habits and sprees together; sets how many customers a stream has. */
const PAYMENTS_PER_CUSTOMER_DAY = 0.957
const NO_TRIP = { city: 0, fromDay: -1, untilDay: -1 }

/** Builds the customers and terminals of a seed: drawn apart from what happens later, so both worlds share them. */
export function buildWorld(options: GeneratorOptions): World {
  const random = createRandom(options.seed, 1)
  const customerCount = Math.max(20, Math.round(options.payments / options.days / PAYMENTS_PER_CUSTOMER_DAY))
  const terminalCount = Math.max(60, Math.round(customerCount * 0.45))
  const terminals = Array.from({ length: terminalCount }, (_, index) => buildTerminal(index, random))
  const countersIn: number[][] = CITIES.map(() => [])
  const byCategory: number[][] = CATEGORIES.map(() => [])
  const onlineShops: number[] = []
  terminals.forEach((terminal, index) => {
    byCategory[terminal.category]!.push(index)
    if (terminal.online) onlineShops.push(index)
    else countersIn[terminal.city]!.push(index)
  })
  const places = { terminals, countersIn, byCategory, onlineShops }
  const customers: Customer[] = []
  for (let index = 0; index < customerCount; index++) {
    customers.push(buildCustomer(index, options, random, places, customers))
  }
  const publicDevices = Array.from({ length: Math.max(3, Math.round(customerCount / 60)) }, () => deviceId(random))
  return { customers, publicDevices, ...places }
}

export function deviceId(random: Random): string {
  return `d-${random.uint32().toString(36).padStart(7, '0')}`
}

export function addressIn(city: number, random: Random): string {
  return `${CITIES[city]!.network}.${1 + random.below(254)}`
}

/** Index drawn in proportion to the weights. */
export function weighted(weights: readonly number[], random: Random): number {
  let total = 0
  for (const weight of weights) total += weight
  let left = random.float() * total
  for (let index = 0; index < weights.length; index++) {
    left -= weights[index]!
    if (left < 0) return index
  }
  return weights.length - 1
}

const CITY_WEIGHTS = CITIES.map((city) => city.weight)
const COUNTER_WEIGHTS = CITIES.map((city) => city.weight + 0.7)
const CATEGORY_WEIGHTS = CATEGORIES.map((category) => category.weight)

function buildTerminal(index: number, random: Random): Terminal {
  // The first terminals go round the categories, so that even a small world has each of them.
  const category = index < CATEGORIES.length ? index : weighted(CATEGORY_WEIGHTS, random)
  const city = weighted(COUNTER_WEIGHTS, random)
  return {
    id: `t-${String(index).padStart(5, '0')}`,
    category,
    city,
    online: random.chance(CATEGORIES[category]!.onlineShare),
    latitude: nearby(CITIES[city]!.latitude, random),
    longitude: nearby(CITIES[city]!.longitude, random),
    priceLevel: random.lognormal(0.25),
  }
}

function buildCustomer(
  index: number,
  options: GeneratorOptions,
  random: Random,
  places: Pick<World, 'countersIn' | 'onlineShops'>,
  earlier: readonly Customer[],
): Customer {
  const city = weighted(CITY_WEIGHTS, random)
  const onlineShare = 0.1 + 0.45 * random.float()
  const counters = places.countersIn[city]!
  const usual: number[] = []
  for (let remaining = 5 + random.below(8); remaining > 0; remaining--) {
    const from = random.chance(onlineShare) || counters.length === 0 ? places.onlineShops : counters
    if (from.length > 0) usual.push(popular(from, random))
  }
  if (usual.length === 0) usual.push(0)
  // Some households share a telephone or a tablet.
  const relative = index > 0 && random.chance(0.12) ? earlier[random.below(index)]! : null
  const devices = [relative === null ? deviceId(random) : relative.devices[0]!]
  if (random.chance(0.4)) devices.push(deviceId(random))
  return {
    id: `c-${String(index).padStart(6, '0')}`,
    city,
    latitude: nearby(CITIES[city]!.latitude, random),
    longitude: nearby(CITIES[city]!.longitude, random),
    ip: addressIn(city, random),
    rate: 0.78 * random.lognormal(0.55),
    spend: random.lognormal(0.45),
    hours: weighted([70, 22, 8], random),
    usual,
    onlineShare,
    declineRate: 0.012 + 0.05 * random.float() * random.float(),
    adoptsWalletAt: random.chance(0.12) ? -1 : random.chance(0.6) ? 0.3 + 0.6 * random.float() : 2,
    prefersApp: random.chance(0.35),
    joinsOnDay: random.chance(0.9) ? 0 : random.below(options.days),
    devices,
    trip: NO_TRIP,
  }
}

/** An index whose frequency falls with its position: some shops are popular, most are not. */
export function popular(indexes: readonly number[], random: Random): number {
  const u = random.float()
  return indexes[Math.floor(u * u * indexes.length)]!
}

function nearby(centre: number, random: Random): number {
  return round4(centre + 0.08 * random.normal())
}

export function round4(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
