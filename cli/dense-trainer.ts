import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { DENSE_RULE } from '../gpu/online-dense.ts'
import { createDenseLearner } from '../scenarios/dense-learner.ts'
import { RheoError } from '../schemas/errors.ts'
import { openOrCreateLog, openRegistry } from './connections.ts'
import type { Place } from './place.ts'
import { scenarioOf } from './scenario-argument.ts'
import type { WorkerLog } from './worker-log.ts'

/** Which worker trains: whoever runs this task. */
const TASK = 0
/** How long the thread rests when it has read all there is. */
const IDLE_MS = 1_000
const RESTART_AFTER_MS = 5_000

/** What the thread is given. */
interface Task {
  readonly place: Place
  /** The scenario's name or module, as it was given. */
  readonly scenario: string
}

/** How the thread ended, where it was not told to. */
interface Ending {
  readonly code: string | null
  readonly text: string
  readonly retryable: boolean
}

/** Trains the dense model in one worker of all (`rheo run --dense`). */
export interface DenseTrainer {
  /** Which tasks this worker runs now. */
  assigned(tasks: readonly number[]): void
  close(): Promise<void>
}

/**
 * Trains on a thread of its own, which has its own connection to the log, so that it holds up no score. A failure is logged and
 * ends no worker; where it may pass, training begins anew.
 */
export function createDenseTrainer(
  place: Place,
  scenario: string,
  log: Pick<WorkerLog, 'info' | 'warn'>,
): DenseTrainer {
  let thread: Worker | null = null
  let again: NodeJS.Timeout | null = null

  function start(): void {
    again = null
    const task: Task = { place, scenario }
    const started = new Worker(new URL(import.meta.url), { workerData: { denseTask: task } })
    thread = started
    log.info('training the dense model')
    const ended = ({ code, text, retryable }: Ending): void => {
      if (thread !== started) return
      thread = null
      if (code === 'FENCED') log.info('the dense model is trained elsewhere')
      else log.warn({ code }, `the dense model is not trained: ${text}`)
      if (retryable) again = setTimeout(start, RESTART_AFTER_MS)
    }
    started.on('message', ended)
    started.on('error', (error) => ended({ code: null, text: error.message, retryable: false }))
  }

  async function stop(): Promise<void> {
    if (again !== null) clearTimeout(again)
    again = null
    const stopped = thread
    thread = null
    if (stopped === null) return
    const exit = new Promise((resolve) => stopped.once('exit', resolve))
    stopped.postMessage('close')
    await exit
  }

  return {
    assigned(tasks) {
      if (!tasks.includes(TASK)) void stop()
      else if (thread === null && again === null) start()
    },
    close: stop,
  }
}

async function train({ place, scenario: called }: Task, isClosing: () => boolean): Promise<void> {
  const scenario = await scenarioOf(called)
  const log = await openOrCreateLog(place)
  try {
    const registry = await openRegistry(place)
    const learner = await createDenseLearner({ scenario, log, rule: DENSE_RULE, registry })
    try {
      while (!isClosing()) if ((await learner.advance(Number.POSITIVE_INFINITY)) === 0) await log.changed(IDLE_MS)
    } finally {
      await learner.close()
    }
  } finally {
    await log.close()
  }
}

async function trainUntilTold(port: NonNullable<typeof parentPort>, task: Task): Promise<void> {
  let isClosing = false
  port.on('message', () => {
    isClosing = true
  })
  try {
    await train(task, () => isClosing)
  } catch (error) {
    const known = error instanceof RheoError ? error : null
    const text = error instanceof Error ? error.message : String(error)
    port.postMessage({ code: known?.code ?? null, text, retryable: known?.retryable ?? false } satisfies Ending)
  }
  port.close()
}

if (!isMainThread && workerData?.denseTask !== undefined) await trainUntilTold(parentPort!, workerData.denseTask)
