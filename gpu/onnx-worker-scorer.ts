import { Worker } from 'node:worker_threads'
import { RheoError } from '../schemas/errors.ts'
import type { Manifest } from './manifest.ts'
import type { OnnxScorerOptions } from './onnx-scorer.ts'
import type { FromWorker, ToWorker, WorkerTask } from './onnx-scorer-worker.ts'
import type { Scorer, Scores } from './scorer.ts'

/**
 * From this duration of one run on, a model belongs into a worker: the runtime's `run` holds the thread it is called on, and a
 * held-up event loop sends no heartbeats. 10 ms is far below any session timeout, and far above the 20 µs of a hand-over.
 */
export const WORKER_FROM_US = 10_000

/** A scorer whose runs happen on a thread of their own. The thread's death fails what is open with PROVIDER_UNAVAILABLE. */
export async function createWorkerScorer(
  bytes: Uint8Array,
  manifest: Manifest,
  options: OnnxScorerOptions,
): Promise<Scorer> {
  const model = { name: manifest.name, version: manifest.version, sha256: manifest.sha256 }
  const task: WorkerTask = { bytes, manifest, options }
  const worker = new Worker(
    new URL(import.meta.url.endsWith('.ts') ? './onnx-scorer-worker.ts' : './onnx-scorer-worker.js', import.meta.url),
    { workerData: task },
  )
  const open = new Map<
    number,
    { readonly resolve: (scores: Scores) => void; readonly reject: (error: unknown) => void }
  >()
  let nextId = 0
  let died: RheoError | null = null

  const fail = (cause: unknown): void => {
    died ??= new RheoError('PROVIDER_UNAVAILABLE', `The scoring thread of ${model.name} ${model.version} ended.`, {
      cause,
      retryable: true,
    })
    for (const { reject } of open.values()) reject(died)
    open.clear()
  }

  await new Promise<void>((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') return resolve()
      if (message.kind === 'scores') {
        open.get(message.id)?.resolve({ outputs: message.outputs, model, degraded: null })
        open.delete(message.id)
        return
      }
      const error = new RheoError(message.code ?? 'MODEL_INVALID', message.text, {
        retryable: message.retryable,
        ...(message.hint === null ? {} : { hint: message.hint }),
      })
      if (message.id === null) return reject(error)
      open.get(message.id)?.reject(error)
      open.delete(message.id)
    })
    worker.on('error', (cause) => {
      fail(cause)
      reject(died)
    })
    worker.on('exit', (code) => {
      fail(new Error(`exit code ${code}`))
      reject(died)
    })
  })

  const send = (message: ToWorker): void => worker.postMessage(message)
  return {
    model,
    runsBeside: true,
    score(features, batch) {
      if (died !== null) return Promise.reject(died)
      return new Promise((resolve, reject) => {
        const id = nextId++
        open.set(id, { resolve, reject })
        send({ kind: 'score', id, features, batch })
      })
    },
    async close() {
      if (died !== null) return
      const ended = new Promise<void>((resolve) => {
        worker.once('exit', () => resolve())
      })
      send({ kind: 'close' })
      await ended
    },
  }
}
