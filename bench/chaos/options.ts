import { parseArgs } from 'node:util'

export interface ChaosOptions {
  readonly payments: number
  readonly faults: number
  readonly seed: number
  readonly perSecond: number
  readonly workers: number
  /** The one kind of fault to inject; undefined: all of them. */
  readonly only: string | undefined
  readonly variant: 'as-built' | 'fencing-off' | 'flush-before-commit'
  readonly isJson: boolean
}

const usage = `Usage: npm run chaos -- [options]

  --payments N   payments in all (default: 520000)
  --faults N     faults in all, evenly over the run (default: 110)
  --seed S       of payments and faults (default: 1)
  --rate R       payments per second (default: 400)
  --workers W    workers that share the tasks (default: 2)
  --only KIND    faults of one kind only, e.g. 'Redis killed'
  --json         the report as JSON
  --fencing off | --flush before-commit
                 breaks Rheo itself: the verifier has to find something
`

/** The flags of the command line. Ends the process with the usage, on --help with 0, and with 2 at what is no flag. */
export function chaosOptions(): ChaosOptions {
  try {
    const { values } = parseArgs({
      options: {
        payments: { type: 'string', default: '520000' },
        faults: { type: 'string', default: '110' },
        seed: { type: 'string', default: '1' },
        rate: { type: 'string', default: '400' },
        workers: { type: 'string', default: '2' },
        fencing: { type: 'string', default: 'on' },
        flush: { type: 'string', default: 'after-commit' },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(usage)
      process.exit(0)
    }
    return {
      payments: wholeNumber('payments', values.payments),
      faults: wholeNumber('faults', values.faults),
      seed: wholeNumber('seed', values.seed),
      perSecond: wholeNumber('rate', values.rate),
      workers: wholeNumber('workers', values.workers),
      only: values.only,
      variant:
        values.fencing === 'off'
          ? 'fencing-off'
          : values.flush === 'before-commit'
            ? 'flush-before-commit'
            : 'as-built',
      isJson: values.json,
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error // parseArgs's own, as wholeNumber's
    process.stderr.write(`chaos: ${error.message}\n\n${usage}`)
    process.exit(2)
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError(`--${name} is "${text}", and should be a whole number`)
}
