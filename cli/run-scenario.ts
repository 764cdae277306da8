import { createFileReader } from '../scenarios/model-files.ts'
import { createOnnxHosts } from '../scenarios/model-hosts.ts'
import { runWorker } from '../scenarios/run-worker.ts'
import { RheoError } from '../schemas/errors.ts'
import { modelTopic } from '../schemas/topics.ts'
import { untilThere } from './await-server.ts'
import { newPartitions, openMembership, openServedRegistry, openWorkerLog, openWorkerState } from './connections.ts'
import type { DenseTrainer } from './dense-trainer.ts'
import { exitCodeOf } from './exit-codes.ts'
import { boundYoungSpace, collectBySize } from './garbage.ts'
import { type Concern, Health } from './health.ts'
import { openEndpoints } from './http-endpoints.ts'
import { measuredText } from './model-argument.ts'
import { observeMembership } from './observe-membership.ts'
import { observeModels } from './observe-models.ts'
import { type Place, placeOf, whereLogIs } from './place.ts'
import { reasonAndNext } from './reason-and-next.ts'
import { scenarioOf } from './scenario-argument.ts'
import { redisAddresses, registryAddress } from './server-options.ts'
import { catchStop, type Stop } from './stop-signals.ts'
import { createWorkerLog, type WorkerLog } from './worker-log.ts'
import { createWorkerMetrics, type WorkerMetrics } from './worker-metrics.ts'
import { WorkerWatch } from './worker-watch.ts'

/** Says again what it waits for, and how the work goes. */
const REMIND_EVERY_MS = 30_000
const REPORT_EVERY_MS = 60_000
const HTTP_PORT = 9464
/** Of what is alive: a worker shares its machine. */
const HEAP_GROWTH_PERCENT = 40
const YOUNG_MIB = 32

export interface RunFlags {
  readonly dense?: boolean
}

interface Worker {
  readonly place: Place
  readonly log: WorkerLog
  readonly health: Health
  readonly metrics: WorkerMetrics
  readonly stop: Stop
  /** null: no dense model is trained here. */
  readonly dense: DenseTrainer | null
  /** The run under way. */
  watch: WorkerWatch | null
}

/** `rheo run`: a worker until SIGTERM or SIGINT. What ends it sooner is the last line of its log, and the exit code. */
export async function runScenario(scenario: string | undefined, flags: RunFlags): Promise<void> {
  collectBySize(HEAP_GROWTH_PERCENT)
  boundYoungSpace(YOUNG_MIB)
  const called = scenario === undefined ? {} : { scenario: (await scenarioOf(scenario)).name }
  const place = placeOf({ ...flags, ...called })
  const { settings } = place
  await scenarioOf(place.scenario)
  if (settings.kafka !== null && settings.redis === null) {
    throw new RheoError('CONFIG_INVALID', 'with Kafka, state has to be where every worker reaches it', {
      hint: 'Add --redis host:port.',
    })
  }
  const log = createWorkerLog(settings)
  const health = new Health(() => performance.now())
  health.raise('starting', 'the servers were not reached yet')
  const metrics = createWorkerMetrics()
  const stop = catchStop(settings.drain, log)
  stop.signal.addEventListener('abort', () => health.raise('draining', 'it was told to stop'))
  const dense = flags.dense === true ? await openTrainer(place, scenario ?? place.scenario, log) : null
  const worker: Worker = { place, log, health, metrics, stop, dense, watch: null }
  const endpoints = await openEndpoints({
    host: settings.httpHost,
    port: settings.httpPort ?? HTTP_PORT,
    which: settings.httpPort === null ? 'or the next' : 'only this',
    health,
    metrics: () => readMetrics(worker),
  })
  const onUncaught = (error: Error): void => log.fatal({ err: error }, 'an error that Rheo did not foresee')
  process.on('uncaughtExceptionMonitor', onUncaught)
  const report = setInterval(() => reportProgress(worker), REPORT_EVERY_MS).unref()
  try {
    log.info(
      { scenario: place.scenario, log: whereLogIs(place), state: whereStateIs(place), http: endpoints.url },
      'starting',
    )
    const outcome = await keepRunning(worker)
    if (outcome === 'drained') log.info('stopped: everything that was read is committed and flushed')
    else log.info('stopped while a server was away: the next worker goes on from the last commit')
  } catch (error) {
    health.raise('failed', error instanceof Error ? error.message : String(error))
    if (!(error instanceof RheoError)) throw error
    const cause = error.cause instanceof Error ? error.cause.message : undefined
    log.fatal({ code: error.code, cause, next: error.hint }, error.message)
    process.exitCode = exitCodeOf(error.code)
  } finally {
    process.off('uncaughtExceptionMonitor', onUncaught)
    clearInterval(report)
    await endpoints.close()
    stop.done()
  }
}

async function openTrainer(place: Place, scenario: string, log: WorkerLog): Promise<DenseTrainer> {
  const { createDenseTrainer } = await import('./dense-trainer.ts')
  return createDenseTrainer(place, scenario, log)
}

/** Runs, and begins anew with new connections when a server has been away for longer than the run loop waits. */
async function keepRunning(worker: Worker): Promise<'drained' | 'given up'> {
  const { log, health, stop, place } = worker
  let remindedMs = Number.NEGATIVE_INFINITY
  const outcome = await untilThere(() => runOnce(worker), {
    signal: stop.signal,
    giveUpAfterMs: place.settings.giveUpAfter,
    workedAtMs: () => health.movedMs,
    onWaiting(error, waitedMs) {
      health.rests()
      health.raise(concernOf(error), error.message)
      const nowMs = performance.now()
      if (nowMs - remindedMs < REMIND_EVERY_MS) return
      remindedMs = nowMs
      log.warn(
        { code: error.code, waitedSeconds: Math.round(waitedMs / 1000), next: error.hint },
        `waiting: ${error.message}`,
      )
    },
  })
  return outcome ?? 'given up'
}

async function runOnce(worker: Worker): Promise<'drained'> {
  const { place, log, health, metrics, stop, dense } = worker
  const { settings } = place
  const scenario = await scenarioOf(place.scenario)
  const { event, label, scores, outcomes } = scenario
  const flowing = [event.topic, label.topic, scores.topic, outcomes.topic, modelTopic(scenario.name)]
  // The log first: it refuses wrong settings before anything is waited for, and connects when it is asked.
  const eventLog = await openWorkerLog(place)
  try {
    const registry = await openServedRegistry(place, flowing)
    health.clear('registry away')
    await eventLog.topics()
    health.clear('log away')
    const store = await openWorkerState(place)
    health.clear('state away')
    const watch = new WorkerWatch(eventLog, store, metrics, health)
    worker.watch = watch
    const hosts = createOnnxHosts({
      featureNames: scenario.featureSet.names,
      read: createFileReader(watch.log, scenario.name),
      provider: settings.provider,
      swaps: 'once open',
      onChoice: (choice, { name: model, version }) =>
        log.info({ model, version, provider: choice.provider, measured: measuredText(choice) }, 'model opened'),
      onFailure(error, model) {
        health.degrade(`model ${model.name}`, `version ${model.version}: ${reasonAndNext(error)}`)
        metrics.degradedNow.set({ model: model.name }, 1)
        const { code, hint: next } = error
        log.warn({ model: model.name, version: model.version, code, next }, `degraded: ${error.message}`)
      },
    })
    try {
      await runWorker({
        scenario,
        log: watch.log,
        store: watch.store,
        registry,
        models: observeModels(hosts, {
          onDegraded: (events) => metrics.degraded.inc(events),
          onWhole() {
            health.restore()
            metrics.degradedNow.reset()
            log.info('every model scores again')
          },
        }),
        examples: dense === null ? 'not put out' : 'put out',
        stateIs: settings.redis === null ? 'beside the log' : 'elsewhere',
        newPartitions: newPartitions(place, scenario.event.topic.partitions),
        partitions: settings.partitions,
        async membership(topology) {
          const membership = await openMembership(place, topology)
          if (membership === null) {
            const all = Array.from({ length: topology.partitions }, (_, task) => task)
            watch.assigned(all)
            dense?.assigned(all)
            return null
          }
          return observeMembership(membership, (tasks, change, moved) => {
            log.info({ [change]: moved, tasks }, `tasks ${change}`)
            watch.assigned(tasks)
            dense?.assigned(tasks)
          })
        },
        batchRecords: settings.batchRecords,
        signal: stop.signal,
        drainMs: settings.drain / 2,
        onTopology(topology) {
          watch.begin(topology)
          log.info({ partitions: topology.partitions, scenario: topology.scenario }, 'connected')
        },
        onStart(tasks) {
          watch.started(tasks)
          log.info({ tasks: tasks.map(({ number }) => number) }, 'running')
        },
        onPass: (pass) => watch.passed(pass),
        onRetry(error, attempt) {
          metrics.retries.inc({ code: error.code })
          health.raise(concernOf(error), error.message)
          log.warn({ code: error.code, attempt }, `trying again from the checkpoint: ${error.message}`)
        },
      })
      return 'drained'
    } finally {
      watch.close()
      worker.watch = null
      await dense?.close()
      await hosts.close()
      await store.close()
    }
  } finally {
    await eventLog.close()
  }
}

function concernOf({ code }: RheoError): Concern {
  if (code === 'STATE_UNAVAILABLE' || code === 'STORAGE_FULL') return 'state away'
  return code === 'REGISTRY_UNAVAILABLE' ? 'registry away' : 'log away'
}

async function readMetrics({ metrics, health, watch }: Worker) {
  watch?.refresh()
  metrics.ready.set(health.readiness().ready ? 1 : 0)
  return { contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }
}

function reportProgress({ log, metrics, watch }: Worker): void {
  if (watch === null) return
  watch.refresh()
  void Promise.all([metrics.recordsIn.get(), metrics.recordsOut.get()]).then(([recordsIn, recordsOut]) => {
    const sums = (values: readonly { value: number; labels: { topic?: string | number } }[]): object =>
      Object.fromEntries(
        values
          .filter(({ labels }) => !String(labels.topic).startsWith('stage-'))
          .map(({ labels, value }) => [String(labels.topic), value]),
      )
    log.info({ read: sums(recordsIn.values), written: sums(recordsOut.values), lag: watch.lag }, 'at work')
  })
}

function whereStateIs({ settings, directory }: Place): string {
  const state = settings.redis === null ? directory : `Redis at ${redisAddresses(settings)}`
  return settings.registry === null ? state : `${state}, schemas at ${registryAddress(settings)}`
}
