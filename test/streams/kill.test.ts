import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRandom } from '../../processors/random.ts'
import { replayKilled, replayUnbroken } from './killed-replay.ts'

/** `bench/kill.ts` does the same 200 times. */
test('a replay killed at random moments and called again ends with the bytes of an unbroken one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rheo-kill-'))
  const stream = { payments: 1_500, days: 20, seed: 5 }
  const seed = Math.floor(Math.random() * 2 ** 31)
  try {
    const unbroken = await replayUnbroken(stream, join(folder, 'unbroken'))
    const random = createRandom(seed, 0)
    for (let round = 0; round < 2; round++) {
      const killed = await replayKilled(stream, unbroken, join(folder, `killed-${round}`), random, 2)
      expect(killed, `seed ${seed}, round ${round}`).toEqual({
        kills: killed.kills,
        lost: 0,
        doubled: 0,
        outputsEqual: true,
        stateEqual: true,
      })
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
