import { describe, expect, test } from 'vitest'
import type { Random } from '../../processors/random.ts'
import { fraudScene } from './fraud-scene.ts'
import type { Scene } from './scene.ts'
import { AS_BUILT, simulate, type Variant } from './simulate.ts'
import { tinyScene } from './tiny-scene.ts'

/** `SIMULATION_SEED=17 npx vitest run test/simulation` replays one seed; without it these run. */
const given = process.env['SIMULATION_SEED']
const seeds = (count: number): number[] =>
  given === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(given)]

/** What went wrong, seed by seed, so that a failure can be replayed. */
async function failures(makeScene: (random: Random) => Scene, count: number, variant: Variant): Promise<string[]> {
  const wrong: string[] = []
  for (const seed of seeds(count)) {
    const run = await simulate(seed, makeScene, variant)
    if (run.wrong.length > 0) wrong.push(`SIMULATION_SEED=${seed}: ${run.wrong.slice(0, 3).join('; ')}`)
  }
  return wrong
}

describe('a run with faults at every await', () => {
  test('leaves what an unbroken run leaves, byte by byte, and nothing is lost, doubled or out of order', async () => {
    expect(await failures(tinyScene, 250, AS_BUILT)).toEqual([])
  })

  test('of the fraud scenario, too', async () => {
    expect(await failures(fraudScene, 8, AS_BUILT)).toEqual([])
  })

  test('is the same run for the same seed', async () => {
    expect(await simulate(7, tinyScene)).toEqual(await simulate(7, tinyScene))
  })

  test('is seen to fail when nobody is fenced', async () => {
    const wrong = await failures(tinyScene, 150, { ...AS_BUILT, fencing: 'off' })
    expect(given !== undefined || wrong.length > 5, wrong.join('\n')).toBe(true)
  })

  test('is seen to fail when state is flushed before its commit', async () => {
    const wrong = await failures(tinyScene, 60, { ...AS_BUILT, order: 'flush, then commit' })
    expect(given !== undefined || wrong.length > 5, wrong.join('\n')).toBe(true)
  })
})
