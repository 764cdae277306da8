import { createHash } from 'node:crypto'
import { parseManifest } from '../gpu/manifest.ts'
import { gathering } from '../gpu/micro-batch.ts'
import type { Provider } from '../gpu/onnx-runtime.ts'
import { createOnnxScorer } from '../gpu/onnx-scorer.ts'
import { createWorkerScorer } from '../gpu/onnx-worker-scorer.ts'
import type { Scorer } from '../gpu/scorer.ts'
import { compile } from '../gpu/train/compile.ts'
import { relu, sigmoid } from '../gpu/train/elementwise.ts'
import { createGraph } from '../gpu/train/graph.ts'
import { declareParameters, mlp, mlpParameters } from '../gpu/train/mlp.ts'
import { encodeOnnx, OPSET } from '../gpu/train/onnx-encoder.ts'
import { asInitializer, seededRandom } from '../gpu/train/parameters.ts'
import { RheoError } from '../schemas/errors.ts'

/**
 * `node bench/gpu.ts`: an MLP 32 → 64 → 1 through the scorer port, per provider and batch size; then on a thread, with several
 * tasks asking at once, whose batches gather or do not.
 */
const FEATURES = 32
const BATCHES = [1, 8, 32, 256, 2048]
const SECONDS_PER_CELL = 0.6
/** So many tasks, each with so many rows at a time, share a scorer on a thread. */
const TASKS = 4
const TASK_ROWS = 64

const graph = createGraph()
const x = graph.input('x', 'float32', ['batch', FEATURES])
const parameters = mlpParameters('', [FEATURES, 64, 1], seededRandom(1))
const p = sigmoid(mlp(x, '', declareParameters(graph, parameters), relu))
const bytes = encodeOnnx(
  compile(
    'mlp',
    { p },
    parameters.map((parameter) => asInitializer(parameter)),
  ),
)
const manifest = parseManifest(
  JSON.stringify({
    name: 'bench-mlp',
    version: '1',
    input: { name: 'x', dtype: 'float32', features: Array.from({ length: FEATURES }, (_, i) => `f${i}`) },
    missing: { rule: 'constant', value: 0 },
    outputs: [{ name: 'p', width: 1 }],
    opset: OPSET,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    trainingRange: { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' },
    licence: 'Apache-2.0',
  }),
)

interface Cell {
  readonly rowsPerSecond: number
  readonly usPerCall: number
  readonly usPerCallP99: number
}

async function measure(provider: Provider): Promise<ReadonlyMap<number, Cell>> {
  const scorer = await createOnnxScorer(bytes, manifest, { provider, warmUpBatches: [...BATCHES, ...BATCHES] })
  const cells = new Map<number, Cell>()
  for (const batch of BATCHES) {
    const random = seededRandom(batch)
    const features = Float32Array.from({ length: batch * FEATURES }, () => random() * 2 - 1)
    for (let i = 0; i < 200 && batch <= 32; i++) await scorer.score(features, batch)
    const times: number[] = []
    const until = performance.now() + SECONDS_PER_CELL * 1_000
    while (performance.now() < until) {
      const start = performance.now()
      await scorer.score(features, batch)
      times.push((performance.now() - start) * 1_000)
    }
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length
    times.sort((a, b) => a - b)
    cells.set(batch, {
      rowsPerSecond: (batch * 1e6) / mean,
      usPerCall: mean,
      usPerCallP99: times[Math.floor(times.length * 0.99)]!,
    })
  }
  await scorer.close()
  return cells
}

/** Rows per second of several tasks, each of which asks again once it is answered. */
async function askedByTasks(scorer: Scorer): Promise<number> {
  const features = new Float32Array(TASK_ROWS * FEATURES).fill(0.5)
  await scorer.score(features, TASK_ROWS)
  let rows = 0
  const startMs = performance.now()
  const untilMs = startMs + SECONDS_PER_CELL * 1_000
  const task = async (): Promise<void> => {
    for (; performance.now() < untilMs; rows += TASK_ROWS) await scorer.score(features, TASK_ROWS)
  }
  await Promise.all(Array.from({ length: TASKS }, task))
  return (rows * 1_000) / (performance.now() - startMs)
}

const results = new Map<Provider, ReadonlyMap<number, Cell>>()
for (const provider of ['cpu', 'cuda', 'webgpu'] as const) {
  try {
    results.set(provider, await measure(provider))
  } catch (error) {
    if (!(error instanceof RheoError)) throw error
    console.error(`${provider}: not measured. ${error.message}${error.hint === undefined ? '' : ` ${error.hint}`}`)
  }
}

console.log('provider  batch        rows/s   µs/call   p99 µs/call    µs/row')
for (const [provider, cells] of results) {
  for (const [batch, { rowsPerSecond, usPerCall, usPerCallP99 }] of cells) {
    const columns = [
      Math.round(rowsPerSecond).toString().padStart(12),
      usPerCall.toFixed(1).padStart(9),
      usPerCallP99.toFixed(1).padStart(13),
      (usPerCall / batch).toFixed(3).padStart(9),
    ]
    console.log(`${provider.padEnd(8)} ${String(batch).padStart(6)}  ${columns.join(' ')}`)
  }
}
for (const provider of results.keys()) {
  const scorer = await createWorkerScorer(bytes, manifest, { provider, warmUpBatches: [TASK_ROWS, TASKS * TASK_ROWS] })
  const [apart, gathered] = [await askedByTasks(scorer), await askedByTasks(gathering(scorer, FEATURES))]
  await scorer.close()
  console.log(
    `${provider} on a thread, ${TASKS} tasks with ${TASK_ROWS} rows each: ${Math.round(apart)} rows/s one by one, ${Math.round(gathered)} gathered.`,
  )
}
for (const [provider, cells] of results) {
  if (provider === 'cpu') continue
  const wins = BATCHES.find((batch) => cells.get(batch)!.usPerCall < (results.get('cpu')?.get(batch)?.usPerCall ?? 0))
  console.log(
    wins === undefined ? `${provider} wins at no measured batch size.` : `${provider} wins from ${wins} rows on.`,
  )
}
