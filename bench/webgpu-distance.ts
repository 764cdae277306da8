/**
 * How far training on WebGPU gets from the CPU: `node bench/webgpu-distance.ts [SEEDS]`, MLP 2 → 16 → 1, batch 32, 1,000 steps.
 * Says in how many runs a hidden unit came out on another side of 0, seen by how many are above it in each step; and where the
 * two end further apart than 1e-4, in which batch that began, and how the same run ends without it and others of its kind.
 */
import { gelu, relu, silu, tanh } from '../gpu/train/elementwise.ts'
import { adam, sgd } from '../gpu/train/optimisers.ts'
import { distanceOfWebGpu, type TrainingRun } from '../test/gpu/provider-distance.ts'

const STEPS = 1_000
const WITHIN = 1e-4
const MAX_LEFT_OUT = 5
const seeds = Array.from({ length: Number(process.argv[2] ?? 3) }, (_, i) => i + 1)
const activations = { relu, tanh, gelu, silu }
const optimisers = {
  'SGD 0.01, momentum 0.9': sgd(0.01, 0.9),
  'SGD 0.05, momentum 0.9': sgd(0.05, 0.9),
  'Adam 0.01': adam(0.01),
}

/** Leaves out one batch after the other in which the two part. */
async function withoutPartings(run: TrainingRun, partedAt: number): Promise<string> {
  const without = [partedAt]
  for (;;) {
    const { distance, partedAt: next } = await distanceOfWebGpu({ ...run, without })
    if (distance <= WITHIN || next === null || without.length === MAX_LEFT_OUT)
      return `without ${without.join(', ')} at the end ${distance.toExponential(1)}`
    without.push(next)
  }
}

for (const [called, activation] of Object.entries(activations)) {
  let held = 0
  let crossed = 0
  const partings: string[] = []
  console.log(`${called}: ‖Δw‖ / ‖w‖ after ${STEPS} steps, seeds 1 to ${seeds.length}`)
  for (const [name, optimiser] of Object.entries(optimisers)) {
    const row: string[] = []
    for (const seed of seeds) {
      const run = { optimiser, activation, seed, steps: STEPS }
      const { distance, partedAt } = await distanceOfWebGpu(run)
      row.push(distance.toExponential(1))
      if (partedAt !== null) crossed++
      if (distance <= WITHIN) held++
      else if (partedAt !== null) {
        const before = await distanceOfWebGpu({ ...run, steps: partedAt })
        const after = await distanceOfWebGpu({ ...run, steps: partedAt + 1 })
        partings.push(
          `  ${name}, seed ${seed}: in batch ${partedAt} from ${before.distance.toExponential(1)} to ` +
            `${after.distance.toExponential(1)}; ${await withoutPartings(run, partedAt)}`,
        )
      }
    }
    console.log(`  ${name.padEnd(24)}${row.join('  ')}`)
  }
  const runs = seeds.length * Object.keys(optimisers).length
  console.log(`  within ${WITHIN} in ${held} of ${runs} runs; a unit on another side of 0 in ${crossed}`)
  for (const parting of partings) console.log(parting)
}
