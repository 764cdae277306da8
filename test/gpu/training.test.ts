import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { float32, type HostTensor, openSession, runOnce } from '../../gpu/onnx-runtime.ts'
import { createTrainer } from '../../gpu/onnx-trainer.ts'
import { compile } from '../../gpu/train/compile.ts'
import { add, mul, square, sub } from '../../gpu/train/elementwise.ts'
import { fisherName, fisherStep } from '../../gpu/train/fisher.ts'
import { createGraph, type Value } from '../../gpu/train/graph.ts'
import { ewcPenalty, sigmoidCrossEntropy, squaredError, sumAll, weightedMean } from '../../gpu/train/losses.ts'
import { declareParameters, mlp, mlpParameters } from '../../gpu/train/mlp.ts'
import { fixedWeights, gradNorm, uncertaintyWeights } from '../../gpu/train/multi-task.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { adam, clipByNorm, ftrl, type Optimiser, sgd } from '../../gpu/train/optimisers.ts'
import { asInitializer, type Parameter, seededRandom } from '../../gpu/train/parameters.ts'
import { trainingStep } from '../../gpu/train/training-step.ts'
import { classifier, exampleBatch } from './training-fixtures.ts'

/** Trains w [2] on ½·Σ(w − t)² for the targets given, and returns the weights after each step. */
async function follow(optimiser: Optimiser, targets: readonly (readonly [number, number])[]): Promise<number[][]> {
  const graph = createGraph()
  const parameter: Parameter = { name: 'w', dims: [2], initial: Float32Array.of(0, 0) }
  const values = declareParameters(graph, [parameter])
  const target = graph.input('target', 'float32', [2])
  const loss = mul(sumAll([square(sub(values.get('w')!, target))]), 0.5)
  const trainer = await createTrainer(trainingStep({ graph, parameters: [parameter], values, loss, optimiser }), {
    provider: 'cpu',
  })
  const path: number[][] = []
  for (const t of targets) {
    await trainer.step({ target: float32([2], t) })
    path.push([...(await trainer.state()).get('w')!])
  }
  await trainer.close()
  return path
}

const targets = Array.from({ length: 30 }, (_, i) => [Math.sin(i) + 2, Math.cos(i * 2) - 1] as const)

function close(path: number[][], reference: number[][]): void {
  path.forEach((weights, step) => {
    weights.forEach((weight, i) => {
      expect(weight, `step ${step}`).toBeCloseTo(reference[step]![i]!, 5)
    })
  })
}

/** A reference in float64: per coordinate, from (w, gradient) to the next w. */
function reference(update: () => (w: number, g: number) => number): number[][] {
  const updates = [update(), update()]
  const w = [0, 0]
  return targets.map((t) => {
    for (const i of [0, 1] as const) w[i] = updates[i]!(w[i]!, w[i]! - t[i])
    return [...w]
  })
}

describe('optimisers follow their papers in float64', () => {
  it('SGD with momentum', async () => {
    close(
      await follow(sgd(0.1, 0.9), targets),
      reference(() => {
        let v = 0
        return (w, g) => {
          v = 0.9 * v + g
          return w - 0.1 * v
        }
      }),
    )
  })

  it('SGD without', async () => {
    close(
      await follow(sgd(0.1), targets),
      reference(() => (w, g) => w - 0.1 * g),
    )
  })

  it('Adam', async () => {
    close(
      await follow(adam(0.05), targets),
      reference(() => {
        let [m, v, t] = [0, 0, 0]
        return (w, g) => {
          t++
          m = 0.9 * m + 0.1 * g
          v = 0.999 * v + 0.001 * g * g
          return w - (0.05 * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
        }
      }),
    )
  })

  it('FTRL-Proximal', async () => {
    const [alpha, beta, l1, l2] = [0.5, 1, 0.3, 0.2]
    close(
      await follow(ftrl({ alpha, beta, l1, l2 }), targets),
      reference(() => {
        let [z, n] = [0, 0]
        return (w, g) => {
          const sigma = (Math.sqrt(n + g * g) - Math.sqrt(n)) / alpha
          z += g - sigma * w
          n += g * g
          return Math.abs(z) <= l1 ? 0 : (Math.sign(z) * l1 - z) / ((beta + Math.sqrt(n)) / alpha + l2)
        }
      }),
    )
  })

  it('clipping keeps the joint norm at its bound, and shorter gradients as they are', async () => {
    const graph = createGraph()
    const a = graph.input('a', 'float32', [2])
    const b = graph.input('b', 'float32', [1])
    const [da, db] = clipByNorm([a, b], 1)
    const session = await openSession(encodeOnnx(compile('clip', { da: da!, db: db! })), { provider: 'cpu' })
    const long = await runOnce(session, { a: float32([2], [2, 3]), b: float32([1], [6]) })
    expect([...long.get('da')!.data, ...long.get('db')!.data].map((x) => Math.round(x * 7e4) / 1e4)).toEqual([2, 3, 6])
    const short = await runOnce(session, { a: float32([2], [0.1, 0]), b: float32([1], [0]) })
    expect(short.get('da')!.data[0]).toBeCloseTo(0.1, 6)
  })
})

describe('a training step', () => {
  async function trained(steps: number): Promise<string> {
    const trainer = await createTrainer(classifier(adam(0.01), 1).step, { provider: 'cpu' })
    for (let i = 0; i < steps; i++) await trainer.step(exampleBatch(i, 32))
    const hash = createHash('sha256')
    for (const [name, data] of await trainer.state()) hash.update(name).update(data)
    await trainer.close()
    return hash.digest('hex')
  }

  it('gives the same bytes twice on the CPU', async () => {
    expect(await trained(100)).toBe(await trained(100))
  })

  it('goes on from a restored state as if never interrupted', async () => {
    const { step } = classifier(adam(0.01), 1)
    const [whole, first, second] = await Promise.all([1, 2, 3].map(() => createTrainer(step, { provider: 'cpu' })))
    for (let i = 0; i < 20; i++) await whole!.step(exampleBatch(i, 32))
    for (let i = 0; i < 10; i++) await first!.step(exampleBatch(i, 32))
    second!.restore(await first!.state())
    for (let i = 10; i < 20; i++) await second!.step(exampleBatch(i, 32))
    expect(await second!.state()).toEqual(await whole!.state())
  })

  it('learns a function that no linear model can, and its serving slice scores the same', async () => {
    const { step, parameters, graph, logits } = classifier(adam(0.01), 1)
    const trainer = await createTrainer(step, { provider: 'cpu' })
    for (let i = 0; i < 400; i++) await trainer.step(exampleBatch(i, 64))
    const state = await trainer.state()
    expect(graph.nodes.length).toBeGreaterThan(10)
    const serving = compile(
      'serving',
      { logits },
      parameters.map((parameter) => asInitializer(parameter, state.get(parameter.name)!)),
    )
    expect(serving.inputs.map((input) => input.name)).toEqual(['x'])
    const session = await openSession(encodeOnnx(serving), { provider: 'cpu' })
    const { x, y } = exampleBatch(9_999, 500)
    const scores = (await runOnce(session, { x: x! })).get('logits')!.data
    const right = scores.filter((score, i) => score > 0 === (y!.data[i] as number) > 0).length
    expect(right / 500).toBeGreaterThan(0.93)
  })

  it('keeps what Fisher says matters, and lets go of what does not', async () => {
    const graph = createGraph()
    const parameter: Parameter = { name: 'w', dims: [2], initial: Float32Array.of(0, 0) }
    const values = declareParameters(graph, [parameter])
    const w = values.get('w')!
    const target = graph.input('target', 'float32', [2])
    const anchors = [
      {
        parameter: w,
        centre: graph.constant('float32', [2], [0, 0]),
        fisher: graph.constant('float32', [2], [100, 0]),
      },
    ]
    const loss = add(sumAll([square(sub(w, target))]), ewcPenalty(anchors, graph.constant('float32', [], [10])))
    const trainer = await createTrainer(
      trainingStep({ graph, parameters: [parameter], values, loss, optimiser: sgd(0.001) }),
      { provider: 'cpu' },
    )
    for (let i = 0; i < 4_000; i++) await trainer.step({ target: float32([2], [1, 1]) })
    const [important, free] = (await trainer.state()).get('w')!
    expect(important).toBeCloseTo(2 / 1002, 4)
    expect(free).toBeCloseTo(1, 2)
  })

  it('accumulates the squared gradient of each example as Fisher information', async () => {
    const graph = createGraph()
    const parameter: Parameter = { name: 'w', dims: [2, 1], initial: Float32Array.of(9, 9) }
    const values = declareParameters(graph, [parameter])
    const x = graph.input('x', 'float32', ['batch', 2])
    const y = graph.input('y', 'float32', ['batch', 1])
    const logits = graph.node('MatMul', [x, values.get('w')!], {
      shape: ['batch', 1],
      gradient: (dy) => [
        null,
        graph.node('MatMul', [graph.node('Transpose', [x], { shape: [2, 'batch'], gradient: null }), dy], {
          shape: [2, 1],
          gradient: null,
        }),
      ],
    })
    const step = fisherStep(graph, [parameter], values, weightedMean(sigmoidCrossEntropy(logits, y), y))
    const weights = await createTrainer(step, { provider: 'cpu' })
    weights.restore(new Map([['w', Float32Array.of(0, 0)]]))
    await weights.step({ x: float32([1, 2], [1, 2]), y: float32([1, 1], [1]) })
    await weights.step({ x: float32([1, 2], [2, 0]), y: float32([1, 1], [1]) })
    // At w = 0 the gradient is −x/2.
    expect([...(await weights.state()).get(fisherName('w'))!]).toEqual([0.25 + 1, 1])
  })
})

describe('weights of tasks', () => {
  /** Two heads on a shared layer; task 0's loss is 100 times task 1's. */
  async function train(how: 'fixed' | 'uncertainty' | 'gradnorm'): Promise<ReadonlyMap<string, Float32Array>> {
    const graph = createGraph()
    const x = graph.input('x', 'float32', ['batch', 2])
    const y = graph.input('y', 'float32', ['batch', 1])
    const weights = graph.input('weights', 'float32', ['batch', 1])
    const random = seededRandom(3)
    const network = [
      ...mlpParameters('trunk.', [2, 8], random),
      ...mlpParameters('a.', [8, 1], random),
      ...mlpParameters('b.', [8, 1], random),
    ]
    const values = new Map(declareParameters(graph, network))
    const trunk = mlp(x, 'trunk.', values)
    const head = (prefix: string): Value => weightedMean(squaredError(mlp(trunk, prefix, values), y), weights)
    const losses = [mul(head('a.'), 100), head('b.')]
    const weighting = {
      fixed: () => fixedWeights(losses, [1, 1]),
      uncertainty: () => uncertaintyWeights(graph, losses),
      gradnorm: () => gradNorm(graph, losses, { shared: values.get('trunk.w0')!, firstLosses: [100, 1], alpha: 0.5 }),
    }[how]()
    const { loss, gradients, project } = weighting
    const step = trainingStep({
      graph,
      parameters: [...network, ...weighting.parameters],
      values: new Map([...values, ...weighting.values]),
      loss,
      optimiser: adam(0.01),
      gradients,
      project,
    })
    const trainer = await createTrainer(step, { provider: 'cpu' })
    for (let i = 0; i < 200; i++) {
      const batch = exampleBatch(i, 32)
      const feeds: Record<string, HostTensor> = { ...batch, weights: float32([32, 1], new Float32Array(32).fill(1)) }
      await trainer.step(feeds)
    }
    const state = await trainer.state()
    await trainer.close()
    return state
  }

  it('stay as they are when fixed', async () => {
    expect([...(await train('fixed')).keys()].filter((name) => name.startsWith('task'))).toEqual([])
  })

  it('by uncertainty, trust the noisier task less', async () => {
    const state = await train('uncertainty')
    expect(state.get('task0.logVariance')![0]).toBeGreaterThan(state.get('task1.logVariance')![0]! + 0.5)
  })

  it('by GradNorm, give less to the task whose gradients are larger', async () => {
    const state = await train('gradnorm')
    expect(state.get('task0.weight')![0]).toBeLessThan(state.get('task1.weight')![0]! / 2)
  })
})
