import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/**
 * What a worker measures, in Prometheus' base units. Labels name topics, stages, models and codes, never an entity.
 * docs/operations.md lists the same.
 */
export function createWorkerMetrics() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]): Gauge<L> =>
    new Gauge({ name, help, labelNames, registers })
  const seconds = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]): Histogram<L> =>
    new Histogram({ name, help, labelNames, buckets, registers })

  return {
    registry,
    recordsIn: counter('rheo_records_in_total', "Records read from users' topics", 'topic'),
    recordsOut: counter('rheo_records_out_total', 'Records committed; of stages, blocks of entries', 'topic'),
    rejected: counter('rheo_rejected_total', 'Records that went to the dead letters', 'topic'),
    late: counter('rheo_late_total', 'Events that came after the grace period', 'topic'),
    duplicates: counter('rheo_duplicates_total', 'Events dropped because they were there before', 'kind'),
    folded: counter('rheo_folded_total', 'Records and entries folded, over all stages'),
    retries: counter('rheo_retries_total', 'Restarts from the checkpoint after a failure', 'code'),
    batch: seconds('rheo_batch_seconds', 'A pass over all stages that found something, commits included', FAST),
    commit: seconds('rheo_commit_seconds', 'A commit to the log', FAST),
    flush: seconds('rheo_flush_seconds', 'A write of state; part: ahead of the flush', FAST, 'kind'),
    latency: seconds(
      'rheo_score_latency_seconds',
      'From the timestamp of an event in its topic to its readable score; the first and last score of each commit',
      LATENCIES,
    ),
    lag: gauge('rheo_consumer_lag_records', 'Offsets not read yet, over the partitions held', 'topic'),
    lagMax: gauge('rheo_consumer_lag_max_records', 'Offsets not read yet in the worst partition held', 'topic'),
    watermarkAge: gauge(
      'rheo_watermark_age_seconds',
      'Present time less the watermark of the slowest task held',
      'stage',
    ),
    restoring: gauge('rheo_restore_remaining_records', 'Offsets to fold again before work goes on', 'topic'),
    tasks: gauge('rheo_tasks_held', 'Tasks that this process runs'),
    assigned: gauge('rheo_tasks_assigned', "Tasks that are this process's to run, running or being restored"),
    modelVersion: gauge('rheo_model_version', 'Version of the model in the newest score', 'model'),
    degraded: counter(
      'rheo_scores_degraded_total',
      'Events that a model did not answer, or not on the wanted provider',
    ),
    degradedNow: gauge('rheo_degraded', '1 while a model does not score as it should', 'model'),
    ready: gauge('rheo_ready', '1 when /readyz answers 200'),
  }
}

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>

const FAST = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const LATENCIES = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600]
