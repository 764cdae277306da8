import type { OnnxTensor } from './onnx-encoder.ts'

/** One trained tensor: its name in the graph, its shape and its first numbers. */
export interface Parameter {
  readonly name: string
  readonly dims: readonly number[]
  readonly initial: Float32Array
}

/** A deterministic stream of numbers in [0, 1): xorshift32 (Marsaglia 2003), the same on every machine. */
export type Random = () => number

export function seededRandom(seed: number): Random {
  // Spread small seeds over the state (Knuth's multiplicative hash); 0 is the one state that xorshift never leaves.
  let state = Math.imul(seed + 1, 2654435761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}

/** Weights float32 [inputs, outputs], uniform in ±√(6 / (inputs + outputs)) (Glorot and Bengio 2010). */
export function glorot(name: string, inputs: number, outputs: number, random: Random): Parameter {
  const bound = Math.sqrt(6 / (inputs + outputs))
  return {
    name,
    dims: [inputs, outputs],
    initial: Float32Array.from({ length: inputs * outputs }, () => (random() * 2 - 1) * bound),
  }
}

export function constantParameter(name: string, dims: readonly number[], value: number): Parameter {
  return { name, dims, initial: new Float32Array(elements(dims)).fill(value) }
}

export function elements(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

/** A parameter's numbers as they are stored in a serving graph. */
export function asInitializer(parameter: Parameter, data: ArrayLike<number> = parameter.initial): OnnxTensor {
  return { name: parameter.name, type: 'float32', dims: parameter.dims, data }
}
