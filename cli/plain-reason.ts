import type { RheoError } from '../schemas/errors.ts'

/** Where in the runtime's own source a check failed, and which: no reader of a log can use it. */
const SOURCE_PLACE = /\/\S+\.(cc|cpp|h):\d+ .* was false\. /

/** Why a model or a provider does not do its part, without the runtime's source places. */
export function plainReason({ message }: RheoError): string {
  return message.replace(SOURCE_PLACE, '')
}

/** The same with the next step behind it. */
export function reasonAndNext(error: RheoError): string {
  const reason = plainReason(error)
  if (error.hint === undefined) return reason
  return /[.!?]$/.test(reason) ? `${reason} ${error.hint}` : `${reason}. ${error.hint}`
}
