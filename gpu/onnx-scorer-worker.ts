import { parentPort, workerData } from 'node:worker_threads'
import { RheoError } from '../schemas/errors.ts'
import type { Manifest } from './manifest.ts'
import { createOnnxScorer, type OnnxScorerOptions } from './onnx-scorer.ts'
import type { Scores } from './scorer.ts'

/** The thread behind `createWorkerScorer`: loads one model, then answers one batch after another. */
export interface WorkerTask {
  readonly bytes: Uint8Array
  readonly manifest: Manifest
  readonly options: OnnxScorerOptions
}

export type ToWorker =
  | { readonly kind: 'score'; readonly id: number; readonly features: Float32Array; readonly batch: number }
  | { readonly kind: 'close' }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'scores'; readonly id: number; readonly outputs: Scores['outputs'] }
  | {
      readonly kind: 'failed'
      readonly id: number | null
      readonly code: RheoError['code'] | null
      readonly text: string
      readonly hint: string | null
      readonly retryable: boolean
    }

const port = parentPort
if (port !== null) await serve(port, workerData as WorkerTask)

async function serve(port: NonNullable<typeof parentPort>, task: WorkerTask): Promise<void> {
  const answer = (message: FromWorker): void => port.postMessage(message)
  const fail = (id: number | null, error: unknown): void => {
    const known = error instanceof RheoError ? error : null
    answer({
      kind: 'failed',
      id,
      code: known?.code ?? null,
      text: error instanceof Error ? error.message : String(error),
      hint: known?.hint ?? null,
      retryable: known?.retryable ?? false,
    })
  }
  try {
    const scorer = await createOnnxScorer(task.bytes, task.manifest, task.options)
    port.on('message', (message: ToWorker) => {
      if (message.kind === 'close') {
        scorer.close().finally(() => port.close())
        return
      }
      scorer.score(message.features, message.batch).then(
        ({ outputs }) => answer({ kind: 'scores', id: message.id, outputs }),
        (error: unknown) => fail(message.id, error),
      )
    })
    answer({ kind: 'ready' })
  } catch (error) {
    fail(null, error)
    port.close()
  }
}
