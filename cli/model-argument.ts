import { BATCH } from '../gpu/open-model.ts'
import type { OpenedOn } from '../gpu/provider-choice.ts'
import type { ReplayModel } from '../scenarios/replay-models.ts'
import { RheoError } from '../schemas/errors.ts'
import { momentMs } from './options.ts'
import { grouped, note, safe } from './terminal.ts'

/**
 * `FILE`, or `FILE@TIME`: the event time from which on the model scores, instead of where its training data ends. Throws USAGE
 * for a time that is none.
 */
export function replayModelOf(argument: string): ReplayModel {
  const [, file, time] = /^(.+\.onnx)(?:@(.+))?$/.exec(argument) ?? []
  if (file === undefined) {
    throw new RheoError('USAGE', `--model ${argument} names no ONNX file`, {
      hint: 'Give FILE.onnx, or FILE.onnx@2026-08-08 to let it score from then on.',
    })
  }
  try {
    return { file, fromMs: time === undefined ? null : momentMs(time) }
  } catch (cause) {
    throw new RheoError('USAGE', `--model ${argument}: ${(cause as Error).message}`, { cause })
  }
}

/** Tells people that a model could not do its part, or not on the wanted provider, and what to do; the scores say `degraded`. */
export function noteModelFailure(error: RheoError, model: { readonly name: string; readonly version: string }): void {
  note(safe(`Model ${model.name} ${model.version} does not score as it should: ${error.message} (${error.code})`))
  if (error.hint !== undefined) note(`  next:  ${safe(error.hint)}`)
}

/** Tells people on what a model was opened, and why there. */
export function noteModelChoice(choice: OpenedOn, model: { readonly name: string; readonly version: string }): void {
  note(safe(`Model ${model.name} ${model.version} runs on ${choice.provider}: ${measuredText(choice)}`))
}

/** What was measured before a provider was taken. */
export function measuredText({ findings }: OpenedOn): string {
  if (findings.length === 0) return 'as the version before'
  const each = findings.map((finding) => {
    if (finding.kind === 'unavailable') return `${finding.provider} cannot be used`
    return `${finding.provider} ${grouped(Math.round(finding.usPerBatch))} µs`
  })
  return `${BATCH} rows: ${each.join(', ')}`
}
