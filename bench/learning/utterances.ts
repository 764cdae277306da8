import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { float32, type HostTensor } from '../../gpu/onnx-runtime.ts'
import { encodeText, NGRAMS } from '../../gpu/train/hashed-ngrams.ts'

/** One labelled text, encoded. */
export interface Utterance {
  /** float32 [NGRAMS.width]. */
  readonly row: Float32Array
  readonly intent: string
  readonly domain: string
  readonly split: string
}

/** Reads NDJSON (gzip or not) with `split, text, label, domain`; rows out of every domain (`oos`) are left out. */
export function readUtterances(file: string): readonly Utterance[] {
  const bytes = readFileSync(file)
  const lines = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().trim().split('\n')
  return lines
    .map((line) => JSON.parse(line) as { split: string; text: string; label: string; domain: string })
    .filter(({ label }) => label !== 'oos')
    .map(({ split, text, label, domain }) => {
      const row = new Float32Array(NGRAMS.width)
      encodeText(text, NGRAMS, row)
      return { row, intent: label, domain, split }
    })
}

/** The rows of a batch, float32 [batch, NGRAMS.width]. */
export function rowsOf(batch: readonly Utterance[]): HostTensor {
  const data = new Float32Array(batch.length * NGRAMS.width)
  for (const [i, { row }] of batch.entries()) data.set(row, i * NGRAMS.width)
  return float32([batch.length, NGRAMS.width], data)
}
