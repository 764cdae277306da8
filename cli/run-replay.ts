import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DENSE_RULE } from '../gpu/online-dense.ts'
import type { Scenario } from '../scenarios/define-scenario.ts'
import type { SilentModel } from '../scenarios/replay-models.ts'
import { type ReplaySummary, replayScenario } from '../scenarios/replay-scenario.ts'
import { plainModels } from '../scenarios/report/model-table.ts'
import { day, instant } from '../scenarios/report/number-format.ts'
import type { Evaluation, RuleFigures, Words } from '../scenarios/report/report-data.ts'
import { plainSummary, thresholdNote } from '../scenarios/report/summary-table.ts'
import { RheoError } from '../schemas/errors.ts'
import { pairInputs, type ReplayFlags } from './commands/replay.ts'
import { openLog } from './connections.ts'
import { exitCodes } from './exit-codes.ts'
import { noteModelFailure, replayModelOf } from './model-argument.ts'
import { flagsTo, type Place, placeOf } from './place.ts'
import { createProgressBar } from './progress-bar.ts'
import { scenarioOf } from './scenario-argument.ts'
import { readSettings } from './settings.ts'
import { grouped, note, print, printJson, safe, shownBytes, shownDuration, styled } from './terminal.ts'

const DAY_MS = 86_400_000
const DEMO_DIRECTORY = join('.rheo', 'demo')

/** A year of events in slices of a second would drain millions of times: the demo reacts as fast as its labels need. */
const DEMO_SLICE = '15m'

/** The generator draws how many payments come; with this wish they are more than 100,000. */
const DEMO_PAYMENTS = 105_000
const DEFAULT_PAYMENTS = 100_000

/** `rheo replay`: runs it, then says what came out and whether nothing was lost. */
export async function runReplay(name: string, flags: ReplayFlags): Promise<void> {
  const scenario = await scenarioOf(name)
  const inputs = pairInputs(flags.input, flags.map)
  const isDemo = flags.demo === true
  if (isDemo && (inputs.length > 0 || flags.state !== undefined)) {
    throw new RheoError('USAGE', '--demo brings its own stream and folder', {
      hint: 'Leave out --demo, or --input and --state.',
    })
  }
  const isFromLog = flags.from !== undefined || flags.to !== undefined
  if (isFromLog && (isDemo || inputs.length > 0)) {
    throw new RheoError('USAGE', '--from and --to read a log, not files or a stream', {
      hint: 'Leave them out, or --input, --map and --demo. --evaluate-from and --until cut files.',
    })
  }
  const { settings } = readSettings({ slice: flags.slice ?? (isDemo ? DEMO_SLICE : undefined) })
  if (isDemo) rmSync(DEMO_DIRECTORY, { recursive: true, force: true })
  const stateDir = isDemo ? DEMO_DIRECTORY : isFromLog ? null : (flags.state ?? null)
  const output = flags.output ?? null
  const report = flags.report ?? (isDemo ? join(DEMO_DIRECTORY, 'report.html') : null)
  const bar = createProgressBar('records')
  const payments = flags.payments ?? (isDemo ? DEMO_PAYMENTS : DEFAULT_PAYMENTS)
  const isGenerated = inputs.length === 0 && !isFromLog
  const place = placeOf({ scenario: scenario.name, ...(flags.state === undefined ? {} : { state: flags.state }) })
  const source = isFromLog ? await openLog(place) : null
  if (isDemo) note(`Replaying about ${grouped(payments)} payments of a world whose fraud keeps changing …`)
  let summary: ReplaySummary
  try {
    summary = await replayScenario({
      scenario,
      inputs,
      ...(source === null
        ? {}
        : { logRange: { log: source, name: place.directory, fromMs: flags.from ?? null, toMs: flags.to ?? null } }),
      stream: {
        payments,
        days: flags.days,
        seed: flags.seed,
        world: flags.world,
        labelDelayMs: flags.labelDelay,
      },
      sliceMs: settings.slice,
      untilMs: flags.until ?? null,
      stateDir,
      output,
      report,
      models: {
        given: (flags.model ?? []).map(replayModelOf),
        dense: flags.dense === true ? DENSE_RULE : null,
        provider: settings.provider,
        onFailure: noteModelFailure,
      },
      evaluateFromMs: flags.evaluateFrom ?? null,
      evaluateUntilMs: flags.evaluateUntil ?? null,
      batchRecords: settings.batchRecords,
      onProgress: ({ items, atMs, itemsPerSecond }) =>
        bar.update({
          done: items,
          fraction: isGenerated ? streamFraction(atMs, flags.days) : null,
          perSecond: itemsPerSecond,
          at: Number.isFinite(atMs) ? new Date(atMs).toISOString().slice(0, 10) : '',
        }),
    })
  } finally {
    bar.end()
    await source?.close()
  }
  if (!summary.flow.balanced) process.exitCode = exitCodes.failed
  const log = source === null ? null : place.directory
  if (flags.json) return printJson({ scenario: scenario.name, output, report, state: stateDir, log, ...summary })
  printSummary(scenario, summary, output, report)
  if (stateDir !== null) printNextSteps(name, summary, { ...place, directory: stateDir })
}

/** The generated stream starts at a fixed day: how far event time has come in it. */
let streamStartMs: number | null = null
function streamFraction(atMs: number, days: number): number | null {
  if (!Number.isFinite(atMs)) return null
  streamStartMs ??= atMs
  return (atMs - streamStartMs) / (days * DAY_MS)
}

function measuredOn({ outcomes, fromMs, untilMs, words }: Evaluation, skippedWarmUpMs: number | null): string {
  const stretch = `Measured on ${grouped(outcomes)} ${words.events} from ${day(fromMs)} to ${day(untilMs - 1)}`
  if (skippedWarmUpMs === null) return `${stretch}.\n`
  return `${stretch}, after the ${skippedWarmUpMs / DAY_MS} days in which the frozen arm learns too.\n`
}

function ruleLine({ name, hits, frauds, hitsAlone, fraudsAlone }: RuleFigures, { positives }: Words): string {
  const alone = `the model had allowed ${grouped(hitsAlone)}, ${grouped(fraudsAlone)} of them ${positives}`
  return `rule ${name}: applied to ${grouped(hits)}, ${grouped(frauds)} of them ${positives}; ${alone}`
}

function silentLine(model: SilentModel, scored: number, { events }: Words): string {
  const nothing = `${safe(model.name)} scored 0 of ${grouped(scored)} ${events}`
  if (model.kind === 'too few examples') {
    const { had, needed } = model
    return `${nothing}: it has had ${grouped(had)} of the ${grouped(needed)} labelled examples that its first version needs (it reads them once an hour of event time)`
  }
  const change = model.isGiven ? ' (FILE@TIME changes that)' : ''
  return `${nothing}: it scores from ${instant(model.fromMs)} on${change}`
}

function printSummary({ words }: Scenario, summary: ReplaySummary, output: string | null, report: string | null): void {
  const { flow, evaluation } = summary
  if (evaluation === null) print('No quality measured: no labels, or labels of one kind only.')
  else {
    print(measuredOn(evaluation, summary.skippedWarmUpMs))
    print(plainSummary(evaluation).trimEnd())
    const why = thresholdNote(evaluation)
    if (why !== null) print(why)
    for (const rule of evaluation.rules) if (rule.hits > 0) print(ruleLine(rule, evaluation.words))
  }
  if (summary.models !== null) print(`\n${plainModels(summary.models)}`)
  for (const model of summary.silentModels) print(`\n${silentLine(model, flow.scored, words)}`)
  const sign = flow.balanced ? '=' : '≠'
  const parts = `${grouped(flow.scored)} scored + ${grouped(flow.deadLetters)} dead letters + ${grouped(flow.late)} late + ${grouped(flow.duplicates)} duplicates`
  const deleted = flow.deleted > 0 ? ` + ${grouped(flow.deleted)} deleted` : ''
  print(`\n${grouped(flow.input)} in ${sign} ${parts}${deleted}   (${grouped(flow.labels)} labels)`)
  if (!flow.balanced)
    note(styled('red', 'In and out do not balance: records were lost or doubled. Please report this.'))
  print(
    `${shownDuration(summary.elapsedMs)}, ${grouped(Math.round(summary.paymentsPerSecond))} ${words.events}/s, at most ${shownBytes(summary.peakRssBytes)} of memory`,
  )
  const hash = summary.outputSha256
  if (output !== null) print(`scores   ${output}`)
  if (hash !== null) print(`sha256   ${hash}`)
  if (report !== null) print(`report   ${report}`)
}

/** @param called how the scenario was named: by its name, or as a module */
function printNextSteps(called: string, { flow }: ReplaySummary, place: Place): void {
  const flags = flagsTo(place)
  const isOwn = called !== place.scenario
  print(`scores   rheo subscribe scores${flags}`)
  print(`one      rheo explain ${isOwn ? 'ID' : 'PAYMENT_ID'}${flags}`)
  print(`live     rheo dev ${called}${isOwn ? ' --no-generator' : ''}`)
  if (flow.deadLetters > 0) print(`         look at the dead letters with: rheo dlq ls${flags}`)
}
