import { cpus } from 'node:os'
import { basename } from 'node:path'
import { parseDurationMs } from '../processors/duration.ts'
import type { GeneratedStream } from './built-in-stream.ts'
import type { Scenario } from './define-scenario.ts'
import type { LogRange } from './replay-log.ts'
import type { ReplayOptions, ReplaySummary } from './replay-scenario.ts'
import { whole } from './report/number-format.ts'
import type { ReportData, RunFact } from './report/report-data.ts'

const DAY_MS = 86_400_000

/**
 * Event time at the head of the generated stream that is not measured unless asked for: as long as any arm still learns
 * before it is frozen, the arms are the same. 0 when the stream ends before that.
 */
export function warmUpMs(scenario: Scenario, stream: GeneratedStream): number {
  const frozenAfter = scenario.arms.flatMap(({ learnsFor }) =>
    learnsFor === undefined ? [] : parseDurationMs(learnsFor),
  )
  const longest = Math.max(0, ...frozenAfter)
  return longest < stream.days * DAY_MS ? longest : 0
}

/** A replay's results as the report shows them; changes and attacks are known for the generated stream only. */
export function replayReport(options: ReplayOptions, summary: ReplaySummary): ReportData {
  const { scenario, inputs, stream, logRange } = options
  const isGenerated = inputs.length === 0 && logRange === undefined
  const name = scenario.name.charAt(0).toUpperCase() + scenario.name.slice(1)
  const files = logRange === undefined ? [...new Set(inputs.map(({ file }) => basename(file)))] : [logRange.name]
  return {
    title: isGenerated ? `${name}: ${stream.world} stream, seed ${stream.seed}` : `${name}: ${files.join(', ')}`,
    facts: factsOf(options, summary),
    flow: summary.flow,
    evaluation: summary.evaluation,
    models: summary.models,
    marks: isGenerated ? (scenario.stream?.marks(stream) ?? []) : [],
    spans: isGenerated ? (scenario.stream?.spans(stream) ?? []) : [],
    fprBand: bandOf(scenario),
  }
}

function factsOf(options: ReplayOptions, summary: ReplaySummary): RunFact[] {
  const { scenario, inputs, stream, logRange } = options
  const input =
    logRange !== undefined
      ? [{ name: 'Input', value: `the log in ${logRange.name}, ${rangeOf(logRange)}` }]
      : inputs.length > 0
        ? [{ name: 'Input', value: inputs.map(({ file }) => file).join(', ') }]
        : [
            { name: 'Stream', value: `${stream.world} world, ${stream.days} days, seed ${stream.seed}` },
            {
              name: 'Labels',
              value: `${hours(stream.labelDelayMs)} after the event, ${whole(summary.flow.labels)} in all`,
            },
          ]
  const warmUp =
    summary.skippedWarmUpMs === null
      ? []
      : [{ name: 'Not measured', value: `the first ${hours(summary.skippedWarmUpMs)}, while both arms learn` }]
  const frozen = scenario.arms.map(({ name, learnsFor }) =>
    learnsFor === undefined ? `${name} learns from every label` : `${name} stops learning after ${learnsFor}`,
  )
  const hash = summary.outputSha256 === null ? [] : [{ name: 'SHA-256 of the scores', value: summary.outputSha256 }]
  return [
    ...input,
    ...warmUp,
    { name: 'Arms', value: frozen.join('; ') },
    { name: 'Model', value: `${scenario.model.name}, ${scenario.featureSet.names.length} features` },
    { name: 'Feature set', value: scenario.featureSet.version },
    { name: 'Policy', value: scenario.decide.id },
    { name: 'Reaction time (slice)', value: seconds(options.sliceMs) },
    {
      name: 'Speed',
      value: `${whole(summary.paymentsPerSecond)} ${scenario.words.events}/s, ${seconds(summary.elapsedMs)} in all, at most ${whole(summary.peakRssBytes / 1_048_576)} MiB`,
    },
    {
      name: 'Machine',
      value: `Node ${process.versions.node}, ${cpus().length} cores, ${process.platform} ${process.arch}`,
    },
    ...hash,
  ]
}

/** A sixth of the target to both sides, where the scenario says nothing. */
function bandOf({ evaluation }: Scenario): ReportData['fprBand'] {
  const { targetFpr = 0, band } = evaluation ?? {}
  return band ?? { low: (targetFpr * 5) / 6, high: (targetFpr * 7) / 6 }
}

function rangeOf({ fromMs, toMs }: LogRange): string {
  const at = (timeMs: number): string => new Date(timeMs).toISOString()
  return `from ${fromMs === null ? 'the beginning' : at(fromMs)} to ${toMs === null ? 'what was there' : at(toMs)}`
}

function hours(durationMs: number): string {
  return durationMs % DAY_MS === 0 ? count(durationMs / DAY_MS, 'day') : count(durationMs / 3_600_000, 'hour')
}

function seconds(durationMs: number): string {
  if (durationMs >= 60_000 && durationMs % 60_000 === 0) return count(durationMs / 60_000, 'minute')
  return count(Math.round(durationMs / 100) / 10, 'second')
}

function count(amount: number, unit: string): string {
  const rounded = Math.round(amount * 100) / 100
  return `${rounded} ${unit}${rounded === 1 ? '' : 's'}`
}
