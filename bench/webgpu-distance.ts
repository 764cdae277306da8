/**
 * How far training on WebGPU gets from the CPU: `node bench/webgpu-distance.ts`, MLP 2 → 16 → 1, batch 32, 1,000 steps.
 * Says in how many runs a hidden unit came out on another side of 0, seen by how many are above it in each step; and where the
 * two end further apart than 1e-4, in which batch that began, and how the same run ends without it and others of its kind.
 * Then, over more seeds, the CPU against itself from first weights that are one rounding larger.
 */
import { gelu, relu, silu, tanh } from '../gpu/train/elementwise.ts'
import { adam, sgd } from '../gpu/train/optimisers.ts'
import {
  distanceOfOneRounding,
  distanceOfWebGpu,
  type TrainingDistance,
  type TrainingRun,
} from '../test/gpu/provider-distance.ts'

const STEPS = 1_000
const WITHIN = 1e-4
const MAX_LEFT_OUT = 5
const SEEDS = 3
const SEEDS_OF_ONE_ROUNDING = 40
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
  console.log(`${called}: ‖Δw‖ / ‖w‖ after ${STEPS} steps, seeds 1 to ${SEEDS}`)
  for (const [name, optimiser] of Object.entries(optimisers)) {
    const row: string[] = []
    for (let seed = 1; seed <= SEEDS; seed++) {
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
  const runs = SEEDS * Object.keys(optimisers).length
  console.log(`  within ${WITHIN} in ${held} of ${runs} runs; a unit on another side of 0 in ${crossed}`)
  for (const parting of partings) console.log(parting)
}

console.log(`\nThe CPU against itself, first weights one rounding larger, seeds 1 to ${SEEDS_OF_ONE_ROUNDING}`)
for (const [called, activation] of Object.entries(activations)) {
  const results: TrainingDistance[] = []
  for (const optimiser of Object.values(optimisers))
    for (let seed = 1; seed <= SEEDS_OF_ONE_ROUNDING; seed++)
      results.push(await distanceOfOneRounding({ optimiser, activation, seed, steps: STEPS }))
  const crossed = results.filter(({ partedAt }) => partedAt !== null)
  const largest = (of: readonly TrainingDistance[]) =>
    Math.max(0, ...of.map(({ distance }) => distance)).toExponential(1)
  console.log(
    `  ${called.padEnd(6)} beyond ${WITHIN} in ${results.filter(({ distance }) => distance > WITHIN).length} of ${results.length} runs; ` +
      `a unit on another side of 0 in ${crossed.length}: at most ${largest(crossed)}, ` +
      `in the others ${largest(results.filter(({ partedAt }) => partedAt === null))}`,
  )
}
