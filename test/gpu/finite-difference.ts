import { float32, type HostTensor, openSession, runOnce } from '../../gpu/onnx-runtime.ts'
import { compile } from '../../gpu/train/compile.ts'
import { mul } from '../../gpu/train/elementwise.ts'
import { differentiate } from '../../gpu/train/gradient.ts'
import { createGraph, type Graph, type Shape, type Value } from '../../gpu/train/graph.ts'
import { sumAll } from '../../gpu/train/losses.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'

/** A parameter whose gradient is checked: its shape as the graph sees it, and its numbers. */
export interface Checked {
  readonly shape: Shape
  readonly dims?: readonly number[]
  readonly data: readonly number[]
}

/** A small deterministic stream of numbers in (-1, 1). */
export function numbers(count: number, seed = 1, scale = 1): number[] {
  let state = (seed * 2654435761) >>> 0 || 1
  return Array.from({ length: count }, () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return (state / 2 ** 31 - 1) * scale
  })
}

/**
 * The largest difference between the written gradient and central differences of Σ c·f(parameters), c fixed at random,
 * relative to the largest gradient. float32 on both sides: expect some 1e-3.
 */
export async function gradientError(
  parameters: Readonly<Record<string, Checked>>,
  build: (values: Readonly<Record<string, Value>>, graph: Graph) => Value,
  fixed: Readonly<Record<string, HostTensor & { readonly shape?: Shape }>> = {},
  step = 1e-2,
): Promise<number> {
  const graph = createGraph()
  const values: Record<string, Value> = {}
  for (const [name, { shape }] of Object.entries(parameters)) values[name] = graph.input(name, 'float32', shape)
  for (const [name, { type, dims, shape }] of Object.entries(fixed))
    values[name] = graph.input(name, type, shape ?? dims)
  const y = build(values, graph)
  const coefficients = graph.input('coefficients', 'float32', y.shape)
  const total = sumAll([mul(y, coefficients)])
  const names = Object.keys(parameters)
  const gradients = differentiate(
    total,
    names.map((name) => values[name]!),
  )

  const outputs: Record<string, Value> = { total, y }
  names.forEach((name, i) => {
    outputs[`d_${name}`] = gradients[i]!
  })
  const feeds: Record<string, HostTensor> = { ...fixed }
  for (const [name, { shape, dims, data }] of Object.entries(parameters))
    feeds[name] = float32(dims ?? (shape as number[]), data)

  const shapeOnly = await openSession(encodeOnnx(compile('shape', { y })), { provider: 'cpu' })
  const { dims, data } = (await runOnce(shapeOnly, only(feeds, shapeOnly.inputNames))).get('y')!
  feeds['coefficients'] = float32(dims, numbers(data.length, 7))

  const session = await openSession(encodeOnnx(compile('check', outputs)), { provider: 'cpu' })
  const written = await runOnce(session, only(feeds, session.inputNames))
  let worst = 0
  for (const name of names) {
    const gradient = written.get(`d_${name}`)!
    const base = parameters[name]!
    if (gradient.data.length !== base.data.length) throw new Error(`The gradient of ${name} has another size.`)
    const size = Math.max(1e-2, ...gradient.data.map(Math.abs))
    for (let i = 0; i < base.data.length; i++) {
      const at = async (delta: number): Promise<number> => {
        const moved = base.data.map((value, j) => (j === i ? value + delta : value))
        const run = await runOnce(
          session,
          only({ ...feeds, [name]: float32(feeds[name]!.dims, moved) }, session.inputNames),
        )
        return run.get('total')!.data[0]!
      }
      const measured = ((await at(step)) - (await at(-step))) / (2 * step)
      worst = Math.max(worst, Math.abs(measured - gradient.data[i]!) / size)
    }
  }
  return worst
}

function only<T>(feeds: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => names.includes(name)))
}
