import { ByteReader, ByteWriter } from '../../processors/byte-buffer.ts'
import type { Emit, Entry, Step } from '../../processors/step.ts'
import { VectorPool } from '../../processors/vector-pool.ts'
import { TILES, TileWindows } from './tile-window.ts'
import type { Hop, Payment } from './velocity-events.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const CUSTOMER_SIZES_MS = [60_000, HOUR_MS, DAY_MS, 7 * DAY_MS]
const TERMINAL_SIZES_MS = [HOUR_MS, DAY_MS, 7 * DAY_MS]
const HOUR_WINDOW = 1
const DEVICE_TILE_MS = DAY_MS / TILES
const ALPHA = 0.1
const FEATURES = 18
export const CUSTOMER_FEATURES = 12
const WEIGHTS = [
  0.02, 1e-4, 0.005, 2e-5, 1e-4, 1e-6, 2e-5, 1e-7, 2.0, 0.05, 1e-3, -1e-9, 0.005, 2e-5, 1e-4, 1e-6, 2e-5, 1e-7,
]
const BIAS = -3

interface Customer {
  readonly windows: Float64Array
  /** Device → its newest tile of 24 min. */
  readonly devices: Map<string, number>
  newestTile: number
  ewmAmount: number
  newestMs: number
}

/** Features 0 to 11, by customerId. */
export function createCustomerStep(): Step<Customer> {
  const windows = new TileWindows(CUSTOMER_SIZES_MS)
  const vectors = new VectorPool()
  const create = (): Customer => withWindows(windows.create())
  const withWindows = (cells: Float64Array): Customer => ({
    windows: cells,
    devices: new Map(),
    newestTile: -1,
    ewmAmount: 0,
    newestMs: -1,
  })
  return {
    table: {
      create,
      encode({ windows: cells, devices, newestTile, ewmAmount, newestMs }) {
        const writer = new ByteWriter(4_096)
        windows.write(writer, cells)
        writer.varint(newestTile + 1)
        writer.float64(ewmAmount)
        writer.float64(newestMs)
        writer.varint(devices.size)
        for (const [device, tile] of devices) {
          writer.text(device)
          writer.varint(tile)
        }
        return writer.take()
      },
      decode(bytes) {
        const reader = new ByteReader(bytes)
        const customer = withWindows(windows.read(reader))
        customer.newestTile = reader.varint() - 1
        customer.ewmAmount = reader.float64()
        customer.newestMs = reader.float64()
        for (let left = reader.varint(); left > 0; left--) customer.devices.set(reader.text(), reader.varint())
        return customer
      },
      bytes: ({ windows: cells, devices }) => 400 + cells.byteLength + 100 * devices.size,
      expiresAtMs: () => null,
    },
    resident: null,
    fold(entry: Entry, state: Customer | undefined, emit: Emit) {
      const payment = entry.body as Payment
      const customer = state!
      const tMs = payment.eventTimeMs
      const out = vectors.take(CUSTOMER_FEATURES)
      windows.add(customer.windows, tMs, payment.amount, payment.declined ? 1 : 0)
      const { counts, declines, sums } = windows
      for (let i = 0; i < CUSTOMER_SIZES_MS.length; i++) {
        out[2 * i] = counts[i]!
        out[2 * i + 1] = sums[i]!
      }
      out[8] = counts[HOUR_WINDOW]! > 0 ? declines[HOUR_WINDOW]! / counts[HOUR_WINDOW]! : 0
      out[9] = countDevices(customer, payment.deviceId, Math.floor(tMs / DEVICE_TILE_MS))
      const isFirst = customer.newestMs < 0
      customer.ewmAmount = isFirst ? payment.amount : ALPHA * payment.amount + (1 - ALPHA) * customer.ewmAmount
      out[10] = customer.ewmAmount
      out[11] = isFirst ? -1 : Math.max(0, tMs - customer.newestMs)
      if (tMs > customer.newestMs) customer.newestMs = tMs
      const hop: Hop = { paymentId: payment.paymentId, amount: payment.amount, features: out }
      emit.to('terminal', 'hop', payment.terminalId, tMs, hop, null)
    },
  }
}

function countDevices(customer: Customer, device: string, tile: number): number {
  const { devices } = customer
  if (tile > customer.newestTile) {
    customer.newestTile = tile
    for (const [known, newest] of devices) if (newest <= tile - TILES) devices.delete(known)
  }
  const newest = devices.get(device)
  if ((newest === undefined || newest < tile) && tile > customer.newestTile - TILES) devices.set(device, tile)
  return devices.size
}

/** Features 12 to 17, by terminalId, and the score. */
export function createTerminalStep(): Step<Float64Array> {
  const windows = new TileWindows(TERMINAL_SIZES_MS)
  const vectors = new VectorPool()
  return {
    table: {
      create: () => windows.create(),
      encode(cells) {
        const writer = new ByteWriter(4_096)
        windows.write(writer, cells)
        return writer.take()
      },
      decode: (bytes) => windows.read(new ByteReader(bytes)),
      bytes: (cells) => 200 + cells.byteLength,
      expiresAtMs: () => null,
    },
    resident: null,
    fold(entry: Entry, cells: Float64Array | undefined, emit: Emit) {
      const { paymentId, amount, features: ofCustomer } = entry.body as Hop
      const tMs = entry.eventTimeMs
      const features = vectors.take(FEATURES)
      features.set(ofCustomer)
      windows.add(cells!, tMs, amount, 0)
      for (let i = 0; i < TERMINAL_SIZES_MS.length; i++) {
        features[CUSTOMER_FEATURES + 2 * i] = windows.counts[i]!
        features[CUSTOMER_FEATURES + 2 * i + 1] = windows.sums[i]!
      }
      let logit = BIAS
      for (let i = 0; i < FEATURES; i++) logit += WEIGHTS[i]! * features[i]!
      const score = { paymentId, eventTimeMs: tMs, score: 1 / (1 + Math.exp(-logit)), features }
      emit.output('scores', entry.key, tMs, () => score)
    },
  }
}
