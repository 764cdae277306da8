/**
 * Replays killed (SIGKILL) at random moments on SQLite and called again: are outputs and state those of an unbroken run?
 *
 * `node bench/kill.ts [kills] [payments] [seed]` (default 200, 2,000 and 1). Prints one JSON document; ends with 1 when
 * anything was lost, doubled or differs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '../processors/random.ts'
import { replayKilled, replayUnbroken, type Verdict } from '../test/streams/killed-replay.ts'

const [kills = 200, payments = 2_000, seed = 1] = process.argv.slice(2).map(Number)
const KILLS_PER_REPLAY = 6

const stream = { payments, days: 20, seed }
const folder = mkdtempSync(join(tmpdir(), 'rheo-kill-'))
try {
  const unbroken = await replayUnbroken(stream, join(folder, 'unbroken'))
  const random = createRandom(seed, 0)
  const total = { kills: 0, replays: 0, lost: 0, doubled: 0, outputsDiffer: 0, statesDiffer: 0 }
  while (total.kills < kills) {
    const directory = join(folder, `killed-${total.replays}`)
    const killed: Verdict = await replayKilled(stream, unbroken, directory, random, KILLS_PER_REPLAY)
    total.replays++
    total.kills += killed.kills
    total.lost += killed.lost
    total.doubled += killed.doubled
    total.outputsDiffer += killed.outputsEqual ? 0 : 1
    total.statesDiffer += killed.stateEqual ? 0 : 1
    process.stderr.write(`${JSON.stringify(total)}\n`)
  }
  const isEqual = total.lost + total.doubled + total.outputsDiffer + total.statesDiffer === 0
  const scores = unbroken.lines.length
  process.stdout.write(`${JSON.stringify({ seed, scores, ...total, equal: isEqual }, null, 2)}\n`)
  process.exitCode = isEqual ? 0 : 1
} finally {
  rmSync(folder, { recursive: true })
}
