import { RheoError } from '../../schemas/errors.ts'

/** The HTTP status of a registry's answer; null where it is none of its own: a broken connection, a proxy's page. */
export function answeredStatus(error: unknown): number | null {
  if (!(error instanceof Error && 'status' in error && typeof error.status === 'number')) return null
  // The client makes up a status of 400 where nobody answered; what has no JSON message did not come from a registry.
  const isOwn =
    !/Error, status \d+/.test(error.message) && !(error.status === 400 && !/ - .*schema/i.test(error.message))
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
  return new RheoError('REGISTRY_UNAVAILABLE', `The schema registry ${url} does not answer: ${text}`, {
    hint: 'Nothing is lost: Rheo waits for it. Check the address, which ends in the path of the Confluent API.',
    retryable: true,
    cause: error,
  })
}
