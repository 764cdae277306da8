/**
 * What learning is worth: both arms on the generated streams, several seeds. `node bench/drift.ts [SEEDS] [PAYMENTS]`.
 * Measured after the frozen arm's warm-up of 30 days, at the causal thresholds and at a matched false-positive rate.
 */
import { fraud } from '../scenarios/fraud/fraud.ts'
import { STREAM_START_MS } from '../scenarios/fraud/stream.ts'
import { replayScenario } from '../scenarios/replay-scenario.ts'

const DAY_MS = 86_400_000
const seeds = Number(process.argv[2] ?? 5)
const payments = Number(process.argv[3] ?? 100_000)
const percent = (share: number): string => `${(share * 100).toFixed(2).padStart(6)} %`

for (const world of ['drift', 'stationary'] as const) {
  console.log(
    `\n${world}: seed, live recall frozen → self-optimising (points), live FPR frozen → self-optimising, recall at 1.2 %, gain at 1.2 % against frozen at 1.8 %`,
  )
  const gains: number[] = []
  for (let seed = 1; seed <= seeds; seed++) {
    const { evaluation } = await replayScenario({
      scenario: fraud,
      inputs: [],
      stream: { payments, days: 120, seed, world, labelDelayMs: DAY_MS },
      sliceMs: 900_000,
      untilMs: null,
      stateDir: null,
      output: null,
      report: null,
      evaluateFromMs: STREAM_START_MS + 31 * DAY_MS,
      evaluateUntilMs: null,
      batchRecords: 2_000,
    })
    const [frozen, learning] = evaluation!.arms
    const at = (arm: NonNullable<typeof frozen>, fpr: number): number =>
      arm.recallAtFpr.find((row) => row.fpr === fpr)!.recall
    const gain = at(learning!, 0.012) - at(frozen!, 0.012)
    const strict = at(learning!, 0.012) - at(frozen!, 0.018)
    gains.push(strict)
    console.log(
      `${String(seed).padStart(4)} ${percent(frozen!.causal.recall)} → ${percent(learning!.causal.recall)}` +
        `   ${percent(frozen!.causal.falsePositiveRate)} → ${percent(learning!.causal.falsePositiveRate)}` +
        `   ${percent(at(frozen!, 0.012))} → ${percent(at(learning!, 0.012))} (${(gain * 100).toFixed(1)})   ${(strict * 100).toFixed(1)}`,
    )
  }
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length
  console.log(
    `gain at a lower rate (1.2 % against 1.8 %): mean ${(mean * 100).toFixed(1)}, from ${(Math.min(...gains) * 100).toFixed(1)} to ${(Math.max(...gains) * 100).toFixed(1)} points`,
  )
}
