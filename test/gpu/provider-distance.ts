import { createTrainer, type Trainer } from '../../gpu/onnx-trainer.ts'
import type { Value } from '../../gpu/train/graph.ts'
import type { Optimiser } from '../../gpu/train/optimisers.ts'
import type { TrainingStep } from '../../gpu/train/training-step.ts'
import { classifier, exampleBatch } from './training-fixtures.ts'

export interface TrainingRun {
  readonly optimiser: Optimiser
  readonly activation: (x: Value) => Value
  readonly seed: number
  readonly steps: number
  /** Batches that are left out on both sides, counted from 0. */
  readonly without?: readonly number[]
}

export interface TrainingDistance {
  /** ‖difference‖ / ‖weights‖ over all trained tensors after the last step. */
  readonly distance: number
  /** The first batch in which not as many hidden units were above 0 on the other side as on the CPU; null: none. */
  readonly partedAt: number | null
}

/** Trains the same classifier on the same batches on the CPU and on WebGPU, its state on the device, no operator on the CPU. */
export function distanceOfWebGpu(run: TrainingRun): Promise<TrainingDistance> {
  return distanceOf(run, (step) => createTrainer(step, { provider: 'webgpu', cpuFallback: 'forbidden' }))
}

/** Trains it twice on the CPU, the second time from weights that are one rounding larger. */
export function distanceOfOneRounding(run: TrainingRun): Promise<TrainingDistance> {
  return distanceOf(run, async (step) => {
    const trainer = await createTrainer(step, { provider: 'cpu' })
    trainer.restore(
      new Map(step.state.map(({ name, initial }) => [name, initial.map((value) => value * (1 + 2 ** -23))])),
    )
    return trainer
  })
}

async function distanceOf(
  run: TrainingRun,
  createOther: (step: TrainingStep) => Promise<Trainer>,
): Promise<TrainingDistance> {
  const { step, parameters } = classifier(run.optimiser, run.seed, run.activation)
  const cpu = await createTrainer(step, { provider: 'cpu' })
  const other = await createOther(step)
  let partedAt: number | null = null
  for (let i = 0; i < run.steps; i++) {
    if (run.without?.includes(i)) continue
    const batch = exampleBatch(i, 32)
    const [expected, actual] = [await cpu.step(batch), await other.step(batch)]
    if (expected['positive'] !== actual['positive']) partedAt ??= i
  }
  const [expected, actual] = [await cpu.state(), await other.state()]
  let [difference, size] = [0, 0]
  for (const { name } of parameters) {
    expected.get(name)!.forEach((value, i) => {
      difference += (value - actual.get(name)![i]!) ** 2
      size += value ** 2
    })
  }
  await Promise.all([cpu.close(), other.close()])
  return { distance: Math.sqrt(difference / size), partedAt }
}
