/**
 * Replay of a file in memory by CPU time: `node --max-semi-space-size=64 bench/replay.ts FILE MAP [SLICE]`.
 * Payments per second of the main thread's CPU say what one core of its own gives, whatever else runs on the machine; those
 * of all threads count the garbage collector's and the compiler's, too. Input to the last outcome, without the evaluation.
 */
import { collectBySize } from '../cli/garbage.ts'
import { parseDurationMs } from '../processors/duration.ts'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { replayScenario } from '../scenarios/replay-scenario.ts'

collectBySize()

const [file, map, slice = '15m'] = process.argv.slice(2)
if (file === undefined || map === undefined) throw new Error('usage: node bench/replay.ts FILE MAP [SLICE]')

const seconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6
const start = { main: seconds(process.threadCpuUsage()), all: seconds(process.cpuUsage()) }
let end = start

const { flow, elapsedMs, peakRssBytes } = await replayScenario({
  scenario: fraud,
  inputs: [{ file, map }],
  stream: { payments: 0, days: 1, seed: 1, world: 'drift', labelDelayMs: 0 },
  sliceMs: parseDurationMs(slice),
  untilMs: null,
  stateDir: null,
  output: null,
  report: null,
  // Nothing lies there, so nothing is measured.
  evaluateFromMs: 0,
  evaluateUntilMs: 0,
  batchRecords: 1_000,
  onProgress: () => {
    end = { main: seconds(process.threadCpuUsage()), all: seconds(process.cpuUsage()) }
  },
})

const rate = (inSeconds: number): string =>
  `${Math.round(flow.scored / inSeconds).toLocaleString('en')}/s (${inSeconds.toFixed(1)} s)`
console.log(`payments             ${flow.scored.toLocaleString('en')}`)
console.log(`by main thread's CPU ${rate(end.main - start.main)}`)
console.log(`by all threads' CPU  ${rate(end.all - start.all)}`)
console.log(`by the clock         ${rate(elapsedMs / 1_000)}`)
console.log(`memory at most       ${Math.round(peakRssBytes / 1_048_576)} MiB`)
