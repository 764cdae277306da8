/**
 * Breaks real servers and workers while payments come, then holds every score against its payment.
 *
 *     npm run chaos -- --help
 *
 * Three Kafka brokers and Redis by `deploy/local`, two workers, 4 partitions; by default 520,000 payments at 400/s and
 * 110 faults, one every 12 seconds. One worker commits all tasks as one, more of them share them out. Ends with 1 when
 * the verifier finds anything wrong. --fencing and --flush break Rheo itself, by wrapping its adapters: there the
 * verifier has to find something.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import { isClean } from '../../test/verify/verify-fraud.ts'
import { startServers } from '../servers/local-servers.ts'
import { PaymentSource } from '../servers/payment-source.ts'
import { ScoreWatch } from '../servers/score-watch.ts'
import { Crew } from './crew.ts'
import { drawFaults } from './faults.ts'
import { Injector } from './inject.ts'
import { chaosOptions } from './options.ts'
import { produce } from './produce.ts'
import { type ChaosReport, countFaults, table } from './report.ts'
import { verify } from './verify.ts'

const PARTITIONS = 4
const LABEL_DELAY_MS = 2_000
const LABELLED = 0.2
const READY_MS = 120_000
/** The drain ends when every payment has its score, or when nothing came for so long. */
const SILENCE_MS = 60_000
const STOP_MS = 60_000

const options = chaosOptions()
const { payments, faults: faultCount, seed, perSecond, variant } = options
const say = (text: string): unknown => process.stderr.write(`chaos: ${text}\n`)

const startMs = performance.now()
const directory = mkdtempSync(join(tmpdir(), 'rheo-chaos-'))
const servers = await startServers('kafka3', { REDIS_MAXMEMORY: '2gb' })
say('servers are up')
const program = variant === 'as-built' ? null : [resolve(import.meta.dirname, 'broken-worker.ts'), variant]
const crew = new Crew(directory, servers.environment, program)
const kafka = { brokers: servers.brokers }
const log = openKafkaLog(kafka, { replicationFactor: 3 })
const watchLog = openKafkaLog(kafka, { maxWaitMs: 100 })
const stop = new AbortController()
const interrupted = (): void => stop.abort(new Error('interrupted'))
// Asked twice, it still cleans up.
process.on('SIGINT', interrupted).on('SIGTERM', interrupted)
try {
  const report = await run()
  process.stdout.write(options.isJson ? `${JSON.stringify(report, null, 2)}\n` : `${table(report)}\n`)
  process.exitCode = isClean(report.verdict) ? 0 : 1
} finally {
  stop.abort()
  await crew.killAll()
  await Promise.allSettled([log.close(), watchLog.close()])
  await servers.stop()
  rmSync(directory, { recursive: true, force: true })
}

async function run(): Promise<ChaosReport> {
  const topology = fraud.topology(PARTITIONS)
  await log.ensureTopics(topology.topics)
  await watchLog.topics()
  const workers = Array.from({ length: options.workers }, (_, place) => crew.start(place))
  for (const worker of workers) {
    if (!(await worker.runs(READY_MS))) throw new Error(`${worker.name} did not start:\n${worker.lastLines.join('\n')}`)
  }
  say('workers are at work')
  const runMs = (payments * 1_000) / perSecond
  const source = new PaymentSource(
    topology,
    { perSecond, seed, payments, labelDelayMs: LABEL_DELAY_MS, labelled: LABELLED },
    Date.now(),
  )
  const fromMs = performance.now()
  const injector = new Injector(servers, crew)
  let isBroken = true
  const broken = injector.run(drawFaults(seed, faultCount, runMs, options.only), fromMs, stop.signal).finally(() => {
    isBroken = false
  })
  const watch = new ScoreWatch(watchLog, fraud.scores.topic.name, PARTITIONS)
  const watching = watch.run(stop.signal, 100)
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - fromMs) / 1_000)
    say(`${seconds} s: ${source.drawn} payments, ${watch.seen} scores, ${injector.injected.length} faults over`)
  }, 10_000)
  const isEnough = (): boolean => stop.signal.aborted || (source.drawn >= payments && !isBroken)
  const [produced] = await Promise.all([produce(log, source, isEnough), broken])
  const drainedFromMs = performance.now()
  say('all faults are over, all payments appended')
  // The last labels are of no interest; scores are.
  while (watch.seen < source.drawn && performance.now() - Math.max(watch.lastMs, drainedFromMs) < SILENCE_MS) {
    stop.signal.throwIfAborted()
    await sleep(200)
  }
  const drainedMs = performance.now()
  const gap = { lengthMs: watch.longestGapMs, endMs: watch.longestGapEndMs - fromMs }
  const codes = await crew.stop(STOP_MS)
  if (codes.some((code) => code !== 0)) say(`workers ended with ${codes.join(', ')}`)
  clearInterval(progress)
  stop.abort()
  await watching
  say(`verifying (${watch.seen} scores seen)`)
  const verdict = await verify(servers.brokers, servers.redisPort)
  const troubles = new Map<string, number>()
  for (const worker of crew.all)
    for (const [code, times] of worker.troubles) troubles.set(code, (troubles.get(code) ?? 0) + times)
  const { injected } = injector
  const during = injected.filter((each) => each.fromMs <= gap.endMs && each.untilMs >= gap.endMs - gap.lengthMs)
  const seconds = (ms: number): number => Math.round(ms / 100) / 10
  return {
    seed,
    variant,
    produced,
    faults: countFaults(injected),
    faultsInAll: injected.length,
    longestGapSeconds: seconds(gap.lengthMs),
    during: during.map(({ kind }) => kind),
    producingSeconds: seconds(drainedFromMs - fromMs),
    drainSeconds: seconds(drainedMs - drainedFromMs),
    seconds: seconds(performance.now() - startMs),
    workersStarted: crew.all.length,
    quits: crew.quits,
    troubles: Object.fromEntries(troubles),
    verdict,
  }
}
