import { generatePayments } from '../scenarios/fraud/generator/generate-payments.ts'

/** Payments generated per second on one core: `node bench/generator.ts`. */
for (const world of ['drift', 'stationary'] as const) {
  const startedAt = performance.now()
  let payments = 0
  let frauds = 0
  for (const { fraud } of generatePayments({
    seed: 1,
    payments: 1_000_000,
    days: 180,
    start: Date.UTC(2026, 0, 5),
    world,
  })) {
    payments++
    if (fraud) frauds++
  }
  const seconds = (performance.now() - startedAt) / 1000
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024)
  console.log(
    `${world}: ${payments} payments, ${((100 * frauds) / payments).toFixed(2)} % fraud, ` +
      `${Math.round(payments / seconds)} payments/s, peak memory ${peakMiB} MiB`,
  )
}
