import { RheoError } from '../schemas/errors.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.ts'
import { safe, styledError } from './terminal.ts'

/**
 * Says on stderr what failed, why, and what to do next; returns the exit code. Operating failures need no stack; a
 * programmer's mistake shows its own, because somebody has to find it.
 */
export function reportFailure(error: unknown): ExitCode {
  const lines: string[] = []
  if (error instanceof RheoError) {
    lines.push(`${styledError('red', 'rheo:')} ${safe(error.message)} ${styledError('dim', `(${error.code})`)}`)
    for (const cause of causesOf(error)) lines.push(`  cause: ${safe(cause)}`)
    if (error.hint !== undefined) lines.push(`  next:  ${safe(error.hint)}`)
    else if (error.retryable) lines.push('  next:  Run the same command again; it goes on where it stopped.')
  } else {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    lines.push(`${styledError('red', 'rheo:')} an error that Rheo did not foresee`)
    for (const line of text.split('\n')) lines.push(`  ${safe(line)}`)
    lines.push('  next:  Run `rheo doctor`; if all is well there, please report this with the lines above.')
  }
  process.stderr.write(`${lines.join('\n')}\n`)
  return error instanceof RheoError ? exitCodeOf(error.code) : exitCodes.failed
}

/** The messages behind an error, outermost first; what its own message already says is left out. */
function causesOf(error: Error): string[] {
  const causes: string[] = []
  let inner: unknown = error.cause
  while (inner !== undefined && causes.length < 5) {
    const text = inner instanceof Error ? inner.message : String(inner)
    if (!error.message.includes(text)) causes.push(text)
    inner = inner instanceof Error ? inner.cause : undefined
  }
  return causes
}
