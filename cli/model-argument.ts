import type { ReplayModel } from '../scenarios/replay-models.ts'
import { RheoError } from '../schemas/errors.ts'
import { momentMs } from './options.ts'
import { note, safe } from './terminal.ts'

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

/** Tells people that a model could not do its part; the scores say `degraded`. */
export function noteModelFailure(error: RheoError, model: { readonly name: string; readonly version: string }): void {
  note(safe(`Model ${model.name} ${model.version} does not score as it should: ${error.code}: ${error.message}`))
}
