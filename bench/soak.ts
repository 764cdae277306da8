/**
 * Memory of a worker over time: `node bench/soak.ts [minutes] [payments per second] [customers]` (default 20, 1,000 and
 * 100,000, each of whom then pays every 100 s), on Kafka and Redis that it starts itself. Prints one JSON document: resident
 * memory minute by minute and at its peak, the slope of a straight line through what was measured after the first fifth, and
 * how many scores had come in the end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { onFraudStage } from './servers/fraud-stage.ts'
import { PaymentSource } from './servers/payment-source.ts'
import { ScoreWatch } from './servers/score-watch.ts'
import { appendDue } from './servers/sender.ts'

const [minutes = 20, perSecond = 1_000, customers = 100_000] = process.argv.slice(2).map(Number)
/** Of the generator's customers, in the 100 days of its world. */
const PAYMENTS_EACH = 96
const SAMPLE_MS = 5_000
const WARM_UP_SHARE = 0.2

const figures = await onFraudStage(async ({ topology, log, sender, startWorker, cpuSeconds }) => {
  const worker = await startWorker()
  const stop = new AbortController()
  const watch = new ScoreWatch(log, fraud.scores.topic.name, topology.partitions)
  const watching = watch.run(stop.signal, 50)
  const samples: { readonly minute: number; readonly mib: number }[] = []
  const startMs = Date.now()
  const options = { perSecond, seed: 1, payments: customers * PAYMENTS_EACH, labelDelayMs: 2_000, labelled: 0.2 }
  const source = new PaymentSource(topology, options, startMs)
  let sampledMs = startMs
  while (Date.now() - startMs < minutes * 60_000) {
    await appendDue(sender, source.take(Date.now()))
    if (Date.now() - sampledMs >= SAMPLE_MS) {
      sampledMs += SAMPLE_MS
      samples.push({ minute: (Date.now() - startMs) / 60_000, mib: worker.rssMiB() })
    }
    await sleep(10)
  }
  const cpu = cpuSeconds()
  stop.abort()
  await watching
  const settled = samples.filter(({ minute }) => minute >= WARM_UP_SHARE * minutes)
  const peak = Math.round(Math.max(...samples.map(({ mib }) => mib)))
  const byMinute = Array.from({ length: Math.floor(minutes) }, (_, i) =>
    Math.round(samples.findLast(({ minute }) => minute <= i + 1)!.mib),
  )
  return {
    minutes,
    perSecond,
    payments: source.drawn,
    scores: watch.seen,
    customers,
    rssMiB: { byMinute, peak },
    slopeMiBPerMinute: Math.round(slope(settled) * 100) / 100,
    cpuSeconds: cpu,
  }
})
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)

/** Of the least-squares line, MiB a minute. */
function slope(samples: readonly { readonly minute: number; readonly mib: number }[]): number {
  const mean = (of: (sample: (typeof samples)[number]) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const minute = mean((sample) => sample.minute)
  const mib = mean((sample) => sample.mib)
  return (
    mean((sample) => (sample.minute - minute) * (sample.mib - mib)) / mean((sample) => (sample.minute - minute) ** 2)
  )
}
