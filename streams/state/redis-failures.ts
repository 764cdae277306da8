import { RheoError } from '../../schemas/errors.ts'

const GOES_ON = 'A worker goes on where the stored state stands as soon as Redis answers.'
/** How it ends where one side speaks TLS and the other does not, among other causes. */
const CUT = /ECONNRESET|ETIMEDOUT|Connection is closed|wrong version|WRONG_VERSION/

/** The vendor's failures as ours, by the first word of what Redis answered; what is no answer is a broken connection. */
export function translateRedis(error: unknown): RheoError {
  if (error instanceof RheoError) return error
  const text = error instanceof Error ? error.message : String(error)
  const answer = /\b(WRONGPASS|NOAUTH|NOPERM|OOM|CROSSSLOT|WRONGTYPE)\b/.exec(text)?.[1]
  switch (answer) {
    case 'WRONGPASS':
    case 'NOAUTH':
      return new RheoError('AUTH_FAILED', `Redis refused the user or the password: ${text}`, {
        hint: 'Give the user and the password of the ACL user that Redis keeps for Rheo.',
        cause: error,
      })
    case 'NOPERM':
      return new RheoError('AUTH_FAILED', `The Redis user may not do what Rheo needs: ${text}`, {
        hint: 'docs/state-in-redis.md has the ACL rule: the keys rheo:*, and +@read +@write +@connection +@scripting +@transaction +info.',
        cause: error,
      })
    case 'OOM':
      return new RheoError('STORAGE_FULL', 'Redis has reached its maxmemory.', {
        hint: 'Raise maxmemory, or shorten what the features look back on. Nothing was changed.',
        retryable: true,
        cause: error,
      })
    case 'CROSSSLOT':
    case 'WRONGTYPE':
      return new RheoError('STORAGE_CORRUPT', `Redis has something else under one of Rheo's keys: ${text}`, {
        hint: 'Remove the keys of the task (rheo:{task}…): they are rebuilt from the log.',
        cause: error,
      })
    case undefined: {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (!/CERT|ERR_TLS|ERR_SSL/.test(`${code} ${text}`) || CUT.test(`${code} ${text}`)) break
      return new RheoError(
        'AUTH_FAILED',
        `Redis showed a certificate that cannot be trusted, or refused ours: ${text}`,
        {
          hint: 'Give the certificate of the authority that issued it, and connect by the name that stands in it.',
          cause: error,
        },
      )
    }
  }
  if (error instanceof Error && error.name === 'ReplyError') {
    return new RheoError('STATE_UNAVAILABLE', `Redis cannot do it now: ${text}`, {
      hint: GOES_ON,
      retryable: true,
      cause: error,
    })
  }
  const isOther = text.startsWith('Unknown RESP type')
  const what = isOther ? 'no Redis answers there; another program may listen' : `Redis does not answer: ${text}`
  const orTls = CUT.test(text) ? '; if it expects TLS, write rediss:// (redisTls, redisCa), and if not, redis://' : ''
  return new RheoError('STATE_UNAVAILABLE', what, {
    hint: `Start Redis, or check the address${orTls}. ${GOES_ON}`,
    retryable: true,
    cause: error,
  })
}

export function fencedByAnother(task: string): RheoError {
  return new RheoError('FENCED', `Another process took over the state of task ${task}.`, {
    hint: 'Nothing was changed; this process must stop working on the task.',
  })
}

/** Redis was emptied, or restarted without its last writes. Retryable: the task starts again from what is there. */
export function lostByRedis(task: string): RheoError {
  return new RheoError('STATE_UNAVAILABLE', `Redis no longer has what task ${task} stored: it was emptied or reset.`, {
    hint: 'The task starts again and rebuilds what is missing from the log. Redis should run with appendonly yes.',
    retryable: true,
  })
}

/** After a write whose outcome is unknown. */
export function mustAcquireAgain(task: string): RheoError {
  return new RheoError(
    'STATE_UNAVAILABLE',
    `A write of task ${task} to Redis failed before; what came of it is unknown.`,
    {
      hint: 'Acquire the task again.',
      retryable: true,
    },
  )
}
