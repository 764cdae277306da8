import * as ort from 'onnxruntime-node'
import { RheoError } from '../schemas/errors.ts'
import type { OnnxType } from './train/onnx-encoder.ts'

// What goes wrong is thrown, and told by whoever catches it. The runtime would write it to stderr, too, in colours and between the
// lines of a JSON log. The level holds for the process, from its first session on; that of a session comes too late for a provider.
ort.env.logLevel = 'fatal'

/** Where a model runs. */
export type Provider = 'cpu' | 'webgpu' | 'cuda'

/** A tensor in main memory. float32: Float32Array; int64: BigInt64Array. Row-major. */
export interface HostTensor {
  readonly type: Exclude<OnnxType, 'bool'>
  readonly dims: readonly number[]
  readonly data: Float32Array | BigInt64Array
}

export function float32(dims: readonly number[], data: ArrayLike<number>): HostTensor {
  return { type: 'float32', dims, data: data instanceof Float32Array ? data : Float32Array.from(data) }
}

export function int64(dims: readonly number[], data: ArrayLike<number>): HostTensor {
  return { type: 'int64', dims, data: BigInt64Array.from(data, (value) => BigInt(value)) }
}

export interface RuntimeOptions {
  readonly provider: Provider
  /** CPU threads within one operator. 1 is fastest for small models, and leaves the other cores to other tasks. */
  readonly threads?: number
  /** 'forbidden': a node that the provider cannot run is a load error, not a silent copy to the CPU. */
  readonly cpuFallback?: 'allowed' | 'forbidden'
  /**
   * 'packed' (the default): the CPU copies weights into its kernels' layout at load. 'plain': it reads them as they are, which is
   * faster for narrow layers in large batches and slower for wide ones in small batches.
   */
  readonly weights?: 'packed' | 'plain'
  /** Outputs that stay on the device, to be fed to the next run. Their data must never be read from here. */
  readonly deviceOutputs?: readonly string[]
}

/** A session of the vendor's runtime. */
export type OnnxSession = ort.InferenceSession
export type OnnxTensorValue = ort.Tensor

function sessionOptions(options: RuntimeOptions): ort.InferenceSession.SessionOptions {
  const { provider, threads = 1, cpuFallback = 'allowed', weights = 'packed', deviceOutputs } = options
  const onDevice = deviceOutputs !== undefined && deviceOutputs.length > 0 && provider !== 'cpu'
  return {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    extra: {
      session: {
        'intra_op.allow_spinning': '0',
        ...(weights === 'plain' ? { disable_prepacking: '1' } : {}),
        ...(cpuFallback === 'forbidden' ? { disable_cpu_ep_fallback: '1' } : {}),
      },
    },
    ...(onDevice
      ? { preferredOutputLocation: Object.fromEntries(deviceOutputs.map((name) => [name, 'gpu-buffer' as const])) }
      : {}),
  }
}

/**
 * Loads a model from bytes.
 * MODEL_INVALID when the runtime refuses the model, PROVIDER_UNAVAILABLE when this machine has no such provider.
 */
export async function openSession(model: Uint8Array, options: RuntimeOptions): Promise<OnnxSession> {
  try {
    return await ort.InferenceSession.create(model, sessionOptions(options))
  } catch (cause) {
    throw translate(cause, options.provider)
  }
}

function translate(cause: unknown, provider: Provider): RheoError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const missing =
    /adapter|backend not found|cannot load|failed to load|libcud|CUDA_PATH|Provider.*(not|fail)|no available backend/i
  if (provider !== 'cpu' && missing.test(text)) {
    return new RheoError('PROVIDER_UNAVAILABLE', `The ${provider} provider cannot be used here: ${firstLine(text)}`, {
      cause,
      hint: providerHint(provider),
    })
  }
  return new RheoError('MODEL_INVALID', `The runtime refuses the model: ${firstLine(text)}`, {
    cause,
    hint: 'The file is whole, but its operators do not fit together, or the runtime lacks one: export it anew, with another opset.',
  })
}

/** What the runtime says when a model, and not the device under it, is at fault. */
const MODEL_FAULT =
  /INVALID_ARGUMENT|INVALID_GRAPH|NOT_IMPLEMENTED|shape|dimension|rank|out of (bounds|range)|invalid indice/i
/** What it says when the device, its driver or its memory is. Comes first: a device's error may name a shape, too. */
const DEVICE_FAULT =
  /\b(CUDA|CUDNN|CUBLAS|CUFFT)\w* (failure|error)|device\b.*\blost|out of memory|failed to allocate|driver/i

/**
 * Why a run failed that was well-formed. On the CPU it is the model: MODEL_INVALID. On a device PROVIDER_UNAVAILABLE, unless the runtime
 * names a fault of the model: a device that dies in mid-run says so in many ways, and each of them means "score elsewhere".
 */
export function runFailure(cause: unknown, provider: Provider, doing: string): RheoError {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (provider !== 'cpu' && (DEVICE_FAULT.test(text) || !MODEL_FAULT.test(text))) {
    return new RheoError('PROVIDER_UNAVAILABLE', `The ${provider} provider failed while ${doing}: ${firstLine(text)}`, {
      cause,
      retryable: true,
      hint: 'The device was lost or has no memory left; scores can be had from the CPU until the process is started anew.',
    })
  }
  return new RheoError('MODEL_INVALID', `The runtime failed while ${doing}: ${firstLine(text)}`, { cause })
}

function providerHint(provider: Provider): string {
  return provider === 'cuda'
    ? 'Install the CUDA libraries (docs/gpu.md says how), or choose provider cpu.'
    : 'Install libvulkan1 and a Vulkan driver (docs/gpu.md), or choose provider cpu.'
}

/** Where in the runtime's own source a check failed, and which: nobody can use it. */
const SOURCE_PLACE = /\/\S+\.(cc|cpp|h):\d+ .* was false\. /

/** What the runtime says, for people. */
export function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').replace(SOURCE_PLACE, '').slice(0, 400)
}

export function toOnnxTensor(tensor: HostTensor): OnnxTensorValue {
  return tensor.type === 'float32'
    ? new ort.Tensor('float32', tensor.data as Float32Array, tensor.dims)
    : new ort.Tensor('int64', tensor.data as BigInt64Array, tensor.dims)
}

/** The numbers of a float32 tensor in main memory. */
export function floatsOf(tensor: OnnxTensorValue, name: string): Float32Array {
  if (tensor.location !== 'cpu')
    throw new Error(`${name} lies on the device; read it through a session with CPU outputs.`)
  if (!(tensor.data instanceof Float32Array)) {
    throw new RheoError('MODEL_INVALID', `Output ${name} holds ${tensor.type}, not float32.`)
  }
  return tensor.data
}

/** Runs a session on tensors in main memory; the answer holds float32 tensors in main memory. */
export async function runOnce(
  session: OnnxSession,
  feeds: Readonly<Record<string, HostTensor>>,
): Promise<ReadonlyMap<string, { readonly dims: readonly number[]; readonly data: Float32Array }>> {
  const outputs = await session.run(
    Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOnnxTensor(tensor)])),
  )
  return new Map(
    Object.entries(outputs).map(([name, tensor]) => [name, { dims: tensor.dims, data: floatsOf(tensor, name) }]),
  )
}
