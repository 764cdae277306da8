/**
 * The state store on Redis, at 10,000 and at 1,000,000 keys of 600 bytes: `node bench/redis-state.ts HOST:PORT`. Needs a
 * Redis of its own, which it empties: `REDIS_PORT=16390 REDIS_MAXMEMORY=4gb deploy/local/start.sh redis`.
 *
 * Prints CPU-microseconds per key, of this process and of Redis, for a flush in one script, for staged parts with their
 * flush, with 37 readable features, and for a load; and how long the longest call took.
 */
import { Redis } from 'ioredis'
import type { NamedNumbers } from '../processors/step.ts'
import { openRedisStateStore } from '../streams/state/redis.ts'
import type { StateChanges } from '../streams/state/state-store.ts'

const address = process.argv[2] ?? '127.0.0.1:16390'
const sizes = (process.argv[3] ?? '10000,1000000').split(',').map(Number)
const PART = 500
const PARTS = 100
const names = Array.from({ length: 37 }, (_, i) => `customerId.count.${i}`)
const features: NamedNumbers = { names, values: Float64Array.from(names, (_, i) => i * 1.37) }
const value = Buffer.alloc(600, 7)

const [host, port] = address.split(':')
const admin = new Redis({ host: host!, port: Number(port) })
const store = await openRedisStateStore({ addresses: [address] })

for (const size of sizes) {
  await admin.flushall()
  let state = await store.acquire('bench')
  const part = (number: number, more: { features?: NamedNumbers } = {}): StateChanges => ({
    positions: new Map(),
    deletes: [],
    watermarkMs: 0,
    puts: Array.from({ length: PART }, (_, i) => {
      const key = `customer-${(number * PART + i * 7_919) % size}`
      return { table: 'customers', key, value, expiresAtMs: 1e12, ...more }
    }),
  })
  const nothing: StateChanges = { ...part(0), puts: [] }
  for (let first = 0; first < size; first += PART) {
    const puts = Array.from({ length: Math.min(PART, size - first) }, (_, i) => ({
      ...{ table: 'customers', value, expiresAtMs: 1e12 },
      key: `customer-${first + i}`,
    }))
    await state.flush({ ...nothing, puts })
  }

  await measure(`${size} keys, flush`, (number) => state.flush(part(number)))
  await measure(`${size} keys, stage`, (number) => state.stage(part(number)))
  await measure(`${size} keys, end of that flush`, () => state.flush(nothing), 1)
  await measure(`${size} keys, flush with 37 features`, (number) => state.flush(part(number, { features })), 20)
  await measure(`${size} keys, load`, (number) =>
    state.load(
      'customers',
      part(number).puts.map(({ key }) => key),
    ),
  )
  const startMs = performance.now()
  state = await store.acquire('bench')
  console.log(`${`${size} keys, acquire`.padEnd(42)} ${(performance.now() - startMs).toFixed(1)} ms`)
}
await admin.flushall()
await store.close()
admin.disconnect()

async function measure(what: string, call: (number: number) => unknown, calls = PARTS): Promise<void> {
  const redisBefore = await redisCpuSeconds()
  const before = process.cpuUsage()
  let longestMs = 0
  for (let number = 0; number < calls; number++) {
    const startMs = performance.now()
    await call(number)
    longestMs = Math.max(longestMs, performance.now() - startMs)
  }
  const { user, system } = process.cpuUsage(before)
  const keys = calls * PART
  const own = (user + system) / keys
  const redis = (((await redisCpuSeconds()) - redisBefore) * 1e6) / keys
  const figures = `${own.toFixed(1)} + ${redis.toFixed(1)} µs a key, longest call ${longestMs.toFixed(1)} ms`
  console.log(`${what.padEnd(42)} ${figures}`)
}

async function redisCpuSeconds(): Promise<number> {
  const info = await admin.info('cpu')
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  return seconds('used_cpu_user') + seconds('used_cpu_sys')
}
