/**
 * Workers with faults at every await, from seeds: is what they leave an unbroken run's, byte by byte?
 *
 * `node bench/simulate.ts [seeds] [first seed]` (default 2,000 from 1): so many runs of a tiny topology, and a fiftieth of
 * them of the fraud scenario. Prints one JSON document; ends with 1 when anything was lost, doubled or differs. A failing
 * seed is replayed by `SIMULATION_SEED=SEED npx vitest run test/simulation`.
 */
import { fraudScene } from '../test/simulation/fraud-scene.ts'
import { simulate } from '../test/simulation/simulate.ts'
import { tinyScene } from '../test/simulation/tiny-scene.ts'

const [seeds = 2_000, first = 1] = process.argv.slice(2).map(Number)
const startMs = performance.now()

async function run(name: string, makeScene: typeof tinyScene, count: number) {
  const faults: Record<string, number> = {}
  const failed: number[] = []
  let commits = 0
  let calls = 0
  for (let seed = first; seed < first + count; seed++) {
    const simulated = await simulate(seed, makeScene)
    commits += simulated.commits
    calls += simulated.steps
    for (const [kind, times] of Object.entries(simulated.faults)) faults[kind] = (faults[kind] ?? 0) + times
    if (simulated.wrong.length === 0) continue
    failed.push(seed)
    process.stderr.write(`${name}, seed ${seed}: ${simulated.wrong.slice(0, 5).join('\n  ')}\n`)
  }
  return { seeds: count, calls, commits, faults, failed }
}

const tiny = await run('tiny', tinyScene, seeds)
const fraud = await run('fraud', fraudScene, Math.ceil(seeds / 50))
const seconds = Math.round((performance.now() - startMs) / 100) / 10
process.stdout.write(`${JSON.stringify({ first, tiny, fraud, seconds }, null, 2)}\n`)
process.exitCode = tiny.failed.length + fraud.failed.length > 0 ? 1 : 0
