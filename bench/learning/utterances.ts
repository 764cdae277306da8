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
  batch.forEach(({ row }, i) => data.set(row, i * NGRAMS.width))
  return float32([batch.length, NGRAMS.width], data)
}

/** One-hot classes, float32 [batch, classes]. */
export function oneHot(classes: readonly number[], width: number): HostTensor {
  const data = new Float32Array(classes.length * width)
  classes.forEach((of, i) => {
    data[i * width + of] = 1
  })
  return float32([classes.length, width], data)
}

export function ones(rows: number): HostTensor {
  return float32([rows, 1], new Float32Array(rows).fill(1))
}

/** The class with the largest logit of each row. */
export function largest(logits: Float32Array, width: number): readonly number[] {
  return Array.from({ length: logits.length / width }, (_, i) => {
    const row = logits.subarray(i * width, (i + 1) * width)
    return row.reduce((best, logit, column) => (logit > row[best]! ? column : best), 0)
  })
}
