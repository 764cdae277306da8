import { RheoError } from '../../schemas/errors.ts'

/** What the client writes for an answer that is no registry's; where nobody answered, with a status of 400 that it makes up. */
const NOT_ITS_OWN = /Error, status \d+(?:: (.*))?$/s
const PATH = 'the path of the Confluent API (of Apicurio /apis/ccompat/v7)'
const GOES_ON = 'A worker then goes on where it stopped.'

/** The HTTP status of a registry's answer; null where it is none of its own: a broken connection, a proxy's page. */
export function answeredStatus(error: unknown): number | null {
  if (!(error instanceof Error && 'status' in error && typeof error.status === 'number')) return null
  const isOwn = !NOT_ITS_OWN.test(error.message) && !(error.status === 400 && !/ - .*schema/i.test(error.message))
  return isOwn || error.status === 401 || error.status === 403 ? error.status : null
}

/** The registry's failures as ours. Whatever may pass is retryable, so that no record is judged without its schema. */
export function translateRegistry(error: unknown, url: string): RheoError {
  if (error instanceof RheoError) return error
  const text = error instanceof Error ? error.message.replace(/^.*? - /, '') : String(error)
  const status = answeredStatus(error)
  if (status === 401 || status === 403) {
    return new RheoError('AUTH_FAILED', `The schema registry ${url} refused the user: ${text}`, {
      hint: 'Give the user and the password of the registry, with the right to read and to register.',
      cause: error,
    })
  }
  if (/certificate|ERR_TLS|altname/i.test(text)) {
    return new RheoError(
      'AUTH_FAILED',
      `The schema registry ${url} showed a certificate that cannot be trusted: ${text}`,
      {
        hint: 'Give the certificate of the authority that issued it.',
        cause: error,
      },
    )
  }
  if (status === 422 || status === 409 || status === 400) {
    return new RheoError('SCHEMA_INCOMPATIBLE', `The schema registry ${url} refused a schema: ${text}`, {
      cause: error,
    })
  }
  const [what, hint] = whyAway(error, text)
  return new RheoError('REGISTRY_UNAVAILABLE', `The schema registry ${url} ${what}`, {
    hint: `${hint} ${GOES_ON}`,
    retryable: true,
    cause: error,
  })
}

/** What happened, and what to do about it. */
function whyAway(error: unknown, text: string): readonly [what: string, hint: string] {
  const answer = error instanceof Error && 'status' in error ? error.status : null
  const foreign = NOT_ITS_OWN.exec(text)
  if (foreign === null && answer !== null) return [`answered ${answer}: ${text}`, 'Its log says more.']
  if (foreign !== null && answer !== 400) {
    return [`answered ${answer}, and not as a registry does`, `Mend the address: it must end in ${PATH}.`]
  }
  const cause = foreign?.[1] ?? text
  const refused = /ECONNREFUSED (\S+)/.exec(cause)?.[1]
  return [
    `does not answer: ${refused === undefined ? cause : `${refused} refused the connection`}`,
    `Start it, or check the address, which ends in ${PATH}.`,
  ]
}
