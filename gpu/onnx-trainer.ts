import {
  float32,
  floatsOf,
  type HostTensor,
  type OnnxTensorValue,
  openSession,
  type Provider,
  runFailure,
  toOnnxTensor,
} from './onnx-runtime.ts'
import { encodeOnnx, type OnnxModel } from './train/onnx-encoder.ts'
import { nextName, type TrainingStep } from './train/training-step.ts'

/** Runs a training step again and again. The state stays on the device between steps where the provider has one. */
export interface Trainer {
  /** One step on a batch: the step's inputs without its state. Answers the metrics as of before the update.
   * PROVIDER_UNAVAILABLE when the device died: go on from the last state that was read. */
  step(batch: Readonly<Record<string, HostTensor>>): Promise<Readonly<Record<string, number>>>
  /** The present state (weights and optimiser), by name, copied to main memory. */
  state(): Promise<ReadonlyMap<string, Float32Array>>
  /** Replaces parts of the state and of what is held: after a restore, or to start from another model. */
  restore(state: ReadonlyMap<string, Float32Array>): void
  close(): Promise<void>
}

interface TrainerOptions {
  readonly provider: Provider
  readonly cpuFallback?: 'allowed' | 'forbidden'
}

/** On the CPU the same batches give the same bytes, whatever the number of threads; on a device they agree within rounding. */
export async function createTrainer(step: TrainingStep, options: TrainerOptions): Promise<Trainer> {
  const names = step.state.map((parameter) => parameter.name)
  const dims = new Map([...step.state, ...step.held].map((parameter) => [parameter.name, parameter.dims]))
  const session = await openSession(encodeOnnx(step.model), { ...options, deviceOutputs: names.map(nextName) })
  const used = new Set(session.inputNames)
  let state = new Map<string, OnnxTensorValue>()
  for (const { name, dims, initial } of step.state) state.set(name, toOnnxTensor(float32(dims, initial.slice())))
  const held = new Map<string, OnnxTensorValue>()
  for (const { name, dims, initial } of step.held) held.set(name, toOnnxTensor(float32(dims, initial.slice())))

  /** Copies device tensors to main memory: reading them directly would end the process. */
  async function readBack(): Promise<ReadonlyMap<string, Float32Array>> {
    const onDevice = names.filter((name) => state.get(name)!.location !== 'cpu')
    const read = new Map<string, Float32Array>()
    for (const name of names) if (!onDevice.includes(name)) read.set(name, floatsOf(state.get(name)!, name).slice())
    if (onDevice.length > 0) {
      const copy = await openSession(encodeOnnx(copyModel(onDevice, dims)), { provider: options.provider })
      const copied = await copy.run(Object.fromEntries(onDevice.map((name) => [name, state.get(name)!])))
      for (const name of onDevice) read.set(name, floatsOf(copied[nextName(name)]!, name).slice())
      await copy.release()
    }
    return read
  }

  return {
    async step(batch) {
      const feeds: Record<string, OnnxTensorValue> = {}
      for (const [name, tensor] of [...state, ...held]) if (used.has(name)) feeds[name] = tensor
      for (const [name, tensor] of Object.entries(batch)) feeds[name] = toOnnxTensor(tensor)
      const outputs = await session.run(feeds).catch((cause: unknown) => {
        throw runFailure(cause, options.provider, 'training')
      })
      const next = new Map<string, OnnxTensorValue>()
      for (const name of names) {
        const tensor = outputs[nextName(name)]!
        next.set(name, tensor)
        const before = state.get(name)!
        if (before.location !== 'cpu') before.dispose()
      }
      state = next
      return Object.fromEntries(step.metrics.map((name) => [name, floatsOf(outputs[name]!, name)[0]!]))
    },
    state: readBack,
    restore(from) {
      for (const [name, data] of from) {
        const shape = dims.get(name)
        if (shape === undefined) throw new Error(`The training step has no state named ${name}.`)
        const into = held.has(name) ? held : state
        into.set(name, toOnnxTensor(float32(shape, data.slice())))
      }
    },
    async close() {
      for (const tensor of state.values()) if (tensor.location !== 'cpu') tensor.dispose()
      await session.release()
    },
  }
}

function copyModel(names: readonly string[], dims: ReadonlyMap<string, readonly number[]>): OnnxModel {
  const port = (name: string, as: string) => ({ name: as, type: 'float32' as const, shape: dims.get(name) ?? [] })
  return {
    name: 'copy',
    inputs: names.map((name) => port(name, name)),
    outputs: names.map((name) => port(name, nextName(name))),
    initializers: [{ name: 'one', type: 'float32', dims: [], data: [1] }],
    nodes: names.map((name) => ({ op: 'Mul', inputs: [name, 'one'], outputs: [nextName(name)] })),
  }
}
