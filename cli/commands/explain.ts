import type { Command } from 'commander'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import { openLog, openRegistry } from '../connections.ts'
import { addPlaceOptions, type PlaceOptions, placeOf, whereLogIs } from '../place.ts'
import { print, printJson, safe, styled, table } from '../terminal.ts'

interface Options extends PlaceOptions {
  readonly features?: boolean
  readonly json?: boolean
}

const help = `
Reads the log: the score with its reasons, features, model and threshold, the outcome once the label is there, and the
events that it came from, each with its position. Scans the topics, so it takes a moment on a long log.

Examples:
  rheo explain p-00000042 --state .rheo/demo
  rheo explain p-00000042 --json | jq .score.features`

export function define(command: Command): void {
  addPlaceOptions(command.argument('<payment-id>', 'the id of the scored event'))
    .option('--features', 'every feature, not only the reasons')
    .option('--json', 'one JSON document')
    .addHelpText('after', help)
    .action(explain)
}

async function explain(id: string, options: Options): Promise<void> {
  const place = placeOf(options)
  const log = await openLog(place)
  try {
    const { findEvents } = await import('../find-events.ts')
    const found = await findEvents(log, await openRegistry(place), place.scenario, id)
    const score = found.find(({ kind }) => kind === 'score')
    if (score === undefined) {
      const { RheoError } = await import('../../schemas/errors.ts')
      const isThere = found.length > 0
      throw new RheoError('INPUT_UNREADABLE', `the log in ${whereLogIs(place)} has no score of ${id}`, {
        hint: isThere
          ? 'Its event is there, but not scored yet, or it is a dead letter: see `rheo dlq ls`.'
          : 'Check the id with `rheo subscribe scores --since start --no-follow`, and the folder with --state.',
      })
    }
    const sources = found.filter(({ kind }) => kind !== 'score' && kind !== 'outcome')
    const outcomes = found.filter(({ kind }) => kind === 'outcome')
    if (options.json) {
      return printJson({ score: score.event, scoredAt: score, outcomes: outcomes.map(({ event }) => event), sources })
    }
    printScore(id, score.event as Score, options.features === true)
    const { loadedScenario } = await import('../catalogue.ts')
    const truth = loadedScenario(place.scenario)?.label.truth ?? 'fraud'
    for (const { event, partition, offset } of outcomes) {
      const { source, labelTime, corrected, ...rest } = event as Record<string, unknown>
      const what = `${rest[truth] === true ? truth : `not ${truth}`}, said by ${source}, known ${iso(Number(labelTime))}${corrected ? ' (corrected)' : ''}`
      print(`${styled('bold', 'outcome')}   ${safe(what)}   ${styled('dim', `outcomes ${partition}:${offset}`)}`)
    }
    if (outcomes.length === 0) print(`${styled('bold', 'outcome')}   no label yet`)
    for (const { topic, kind, event, partition, offset } of sources) {
      print(
        `${styled('bold', kind.padEnd(9))} ${safe(JSON.stringify(event))}   ${styled('dim', `${topic} ${partition}:${offset}`)}`,
      )
    }
  } finally {
    await log.close()
  }
}

function printScore(id: string, score: Score, allFeatures: boolean): void {
  const { decision, probability, threshold } = score
  print(`${styled('bold', safe(id))}   ${iso(score.eventTime)}`)
  const colour = decision === 'allow' ? 'green' : 'red'
  const sign = probability >= threshold ? '≥' : '<'
  const isRaised = score.ruleHits.length > 0 && decision !== 'allow' && probability < threshold
  const raised = isRaised ? ', raised by a rule' : ''
  const flag = score.degraded ? '   degraded: a model did not answer, or not on the wanted provider' : ''
  print(
    `${styled('bold', 'score')}     ${styled(colour, decision)}: ${percent(probability)} ${sign} ${percent(threshold)} (${safe(score.policyId)})${raised}${flag}`,
  )
  print(
    `${styled('bold', 'model')}     ${safe(score.modelName)}, version ${score.modelVersion}, features ${safe(score.featureSetVersion)}`,
  )
  for (const [name, other] of Object.entries(score.challengers)) print(`          ${safe(name)} said ${percent(other)}`)
  for (const { rule, version } of score.ruleHits) print(`${styled('bold', 'rule')}      ${safe(rule)} v${version}`)
  print('')
  const rows = score.reasons.map((reason) => [
    reason.feature,
    shownNumber(reason.value),
    signed(reason.contribution),
    reason.textEn,
  ])
  print(table(['reason', 'value', 'log-odds', ''], rows))
  if (allFeatures) {
    print('')
    print(
      table(
        ['feature', 'value'],
        Object.entries(score.features).map(([name, value]) => [name, shownNumber(value)]),
      ),
    )
  }
  print('')
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('T', ' ').slice(0, 19)
}

function percent(share: number): string {
  return `${(share * 100).toPrecision(3)} %`
}

function shownNumber(value: number): string {
  return Number.isNaN(value) ? 'missing' : value.toLocaleString('en-US', { maximumSignificantDigits: 6 })
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
}
