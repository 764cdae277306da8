import { assertFinite, assertLength, type FtrlConstants, type FtrlKernel, MAX_FEATURES } from './ftrl-kernel.ts'
import { createScalarKernel } from './ftrl-scalar.ts'
import { FTRL_SIMD_BASE64 } from './ftrl-simd-bytes.ts'
import { sigmoid } from './sigmoid.ts'

/** What this file uses of the WebAssembly API, which neither TypeScript's es2024 nor @types/node declares. */
interface WasmApi {
  readonly validate: (bytes: Uint8Array) => boolean
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Instance: new (module: WasmModule, imports: { rheo: { memory: WasmMemory } }) => { exports: SimdExports }
  readonly Memory: new (size: { initial: number }) => WasmMemory
}
type WasmModule = { readonly [brand]: 'module' }
type WasmMemory = { readonly buffer: ArrayBuffer }
declare const brand: unique symbol
declare const WebAssembly: WasmApi

interface SimdExports {
  logit(addresses: number, end: number, values: number): number
  update(addresses: number, end: number, values: number, error: number, epoch: number, changed: number): number
}

const WASM_PAGE = 65_536
const PADDED = MAX_FEATURES + 4
/** Byte addresses: the constants, each feature's slot, values as given, MAX_FEATURES ones and four zeros, the slots. */
const ADDRESSES_AT = 64
const VALUES_AT = ADDRESSES_AT + PADDED * 4
const ONES_AT = VALUES_AT + PADDED * 4
const TABLE_AT = ONES_AT + PADDED * 4
/** Three slots after the table that no feature uses fill the last group of four. */
const SPARE_SLOTS = 3

let compiled: WasmModule | null | undefined

/** The kernel for this machine: SIMD, or the scalar one where WebAssembly SIMD is missing. Same results. */
export function createKernel(constants: FtrlConstants): FtrlKernel {
  return createSimdKernel(constants) ?? createScalarKernel(constants)
}

/** The kernel in WebAssembly; null where the engine has no WebAssembly SIMD. */
export function createSimdKernel(constants: FtrlConstants): FtrlKernel | null {
  compiled ??= compile()
  if (compiled === null) return null
  const slots = 2 ** constants.bits
  const changedAt = TABLE_AT + (slots + SPARE_SLOTS) * 16
  const memory = new WebAssembly.Memory({ initial: Math.ceil((changedAt + (slots + 4) * 4) / WASM_PAGE) })
  const { exports } = new WebAssembly.Instance(compiled, { rheo: { memory } })
  const { buffer } = memory
  writeConstants(buffer, constants)
  new Float32Array(buffer, ONES_AT, MAX_FEATURES).fill(1)

  const mask = slots - 1
  const addresses = new Int32Array(buffer, ADDRESSES_AT, PADDED)
  const staged = new Float32Array(buffer, VALUES_AT, PADDED)
  const spareMarks = new Uint32Array(buffer, TABLE_AT + slots * 16, SPARE_SLOTS * 4)
  const spareAt = TABLE_AT + slots * 16
  let changedEnd = changedAt
  let epoch = 0

  const nextEpoch = (): void => {
    changedEnd = changedAt
    epoch++
    for (let spare = 0; spare < SPARE_SLOTS; spare++) spareMarks[spare * 4 + 3] = epoch
  }
  nextEpoch()

  /** Writes addresses and values, padded. Returns the byte address of the values. */
  const stage = (indices: Uint32Array, values: Float32Array | null, length: number): number => {
    assertLength(length)
    for (let i = 0; i < length; i++) addresses[i] = TABLE_AT + (indices[i]! & mask) * 16
    const padded = (length + 3) & ~3
    for (let i = length; i < padded; i++) addresses[i] = spareAt + (i - length) * 16
    if (values === null) return ONES_AT + (MAX_FEATURES - length) * 4
    for (let i = 0; i < length; i++) staged[i] = values[i]!
    for (let i = length; i < padded; i++) staged[i] = 0
    return VALUES_AT
  }
  const endOf = (length: number): number => ADDRESSES_AT + ((length + 3) & ~3) * 4

  return {
    name: 'simd',
    table: new Float32Array(buffer, TABLE_AT, slots * 4),
    marks: new Uint32Array(buffer, TABLE_AT, slots * 4),
    changed: new Uint32Array(buffer, changedAt, slots),
    changedCount: () => (changedEnd - changedAt) / 4,
    nextEpoch,
    logit: (indices, values, length) => exports.logit(ADDRESSES_AT, endOf(length), stage(indices, values, length)),
    learn(indices, values, length, label, weight) {
      const valuesAt = stage(indices, values, length)
      const end = endOf(length)
      const logit = exports.logit(ADDRESSES_AT, end, valuesAt)
      assertFinite(logit)
      const error = (sigmoid(logit) - label) * weight
      changedEnd = exports.update(ADDRESSES_AT, end, valuesAt, error, epoch, changedEnd)
      return logit
    },
  }
}

function compile(): WasmModule | null {
  if (typeof WebAssembly === 'undefined') return null
  const bytes = Buffer.from(FTRL_SIMD_BASE64, 'base64')
  return WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null
}

/** In the order that `ftrl-simd.wat` states. */
function writeConstants(buffer: ArrayBuffer, constants: FtrlConstants): void {
  const { inverseAlpha, beta, lambda1, lambda2, retain, retainSquared } = constants
  new Float32Array(buffer, 0, 6).set([inverseAlpha, beta, lambda1, lambda2, retain, retainSquared])
  new Uint32Array(buffer, 24, 1)[0] = TABLE_AT
}
