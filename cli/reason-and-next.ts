import type { RheoError } from '../schemas/errors.ts'

/** What happened, with the next step behind it. */
export function reasonAndNext({ message, hint }: RheoError): string {
  if (hint === undefined) return message
  return /[.!?]$/.test(message) ? `${message} ${hint}` : `${message}. ${hint}`
}
