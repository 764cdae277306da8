/**
 * Forgetting: `node bench/forgetting.ts FILE` learns two halves of the intents in turn, 5 seeds, one head over all of them.
 * FILE: NDJSON(.gz) with `split` (train, val), `text`, `label`, `domain`. Every arm has the same encoder (hashed n-grams), the same
 * head, the same steps; the ONNX training graph trains, on the CPU. A test text of either half may be given any of all the
 * intents: no arm is told which half it comes from. ± is the 95 % interval over the seeds.
 */
import { openSession, runOnce } from '../gpu/onnx-runtime.ts'
import { createTrainer } from '../gpu/onnx-trainer.ts'
import { compile } from '../gpu/train/compile.ts'
import { add, relu } from '../gpu/train/elementwise.ts'
import { fisherName, fisherStep } from '../gpu/train/fisher.ts'
import { createGraph } from '../gpu/train/graph.ts'
import { NGRAMS } from '../gpu/train/hashed-ngrams.ts'
import { ewcPenalty, softmaxCrossEntropy, weightedMean } from '../gpu/train/losses.ts'
import { declareParameters, mlp, mlpParameters } from '../gpu/train/mlp.ts'
import { encodeOnnx } from '../gpu/train/onnx-encoder.ts'
import { adam } from '../gpu/train/optimisers.ts'
import { constantParameter, type Parameter, seededRandom } from '../gpu/train/parameters.ts'
import { replayBuffer } from '../gpu/train/replay-buffer.ts'
import { trainingStep } from '../gpu/train/training-step.ts'
import { largest, oneHot, ones, shuffled } from './learning/batches.ts'
import { interval, written } from './learning/interval.ts'
import { readUtterances, rowsOf, type Utterance } from './learning/utterances.ts'

const SEEDS = [1, 2, 3, 4, 5]
const HIDDEN = 128
const BATCH = 64
const EPOCHS = 8
const RATE = 0.002
/** Examples of the first half that are kept: a third of it. */
const REPLAYED = 2_000
const FISHER_EXAMPLES = 500
const LAMBDA = 100

const file = process.argv[2]
if (file === undefined) {
  console.error('usage: node bench/forgetting.ts FILE.jsonl[.gz], with split, text, label, domain')
  process.exit(2)
}
const utterances = readUtterances(file)
const intents = [...new Set(utterances.map(({ intent }) => intent))].sort()
const classOf = new Map(intents.map((intent, i) => [intent, i]))
const widths = [NGRAMS.width, HIDDEN, intents.length]

const fresh = (seed: number): readonly Parameter[] => mlpParameters('', widths, seededRandom(seed))
const centreName = (name: string): string => `${name}.centre`

const graph = createGraph()
const parameters = fresh(0)
const values = declareParameters(graph, parameters)
const x = graph.input('x', 'float32', ['batch', NGRAMS.width])
const logits = mlp(x, '', values, relu)
const loss = weightedMean(
  softmaxCrossEntropy(logits, graph.input('y', 'float32', ['batch', intents.length])),
  graph.input('weights', 'float32', ['batch', 1]),
)
const anchors = [
  constantParameter('lambda', [], 0),
  ...parameters.flatMap(({ name, dims }) => [
    constantParameter(centreName(name), dims, 0),
    constantParameter(`${name}.importance`, dims, 0),
  ]),
]
const anchored = declareParameters(graph, anchors)
const penalty = ewcPenalty(
  parameters.map(({ name }) => ({
    parameter: values.get(name)!,
    centre: anchored.get(centreName(name))!,
    fisher: anchored.get(`${name}.importance`)!,
  })),
  anchored.get('lambda')!,
)

/** One graph for every arm: λ = 0 is training without EWC. */
const step = trainingStep({ graph, parameters, values, loss: add(loss, penalty), optimiser: adam(RATE), held: anchors })
const trainer = await createTrainer(step, { provider: 'cpu' })
const fisher = await createTrainer(fisherStep(graph, parameters, values, loss), { provider: 'cpu' })
const serving = await openSession(encodeOnnx(compile('serving', { logits })), { provider: 'cpu' })

type Weights = ReadonlyMap<string, Float32Array>

function batchOf(batch: readonly Utterance[]) {
  const classes = batch.map(({ intent }) => classOf.get(intent)!)
  return { x: rowsOf(batch), y: oneHot(classes, intents.length), weights: ones(batch.length) }
}

/** Trains from `weights` with a fresh optimiser; `more` adds examples to each batch. */
async function learn(
  lambda: number,
  weights: Weights,
  examples: readonly Utterance[],
  seed: number,
  more: () => readonly Utterance[] = () => [],
): Promise<Weights> {
  trainer.restore(new Map([['lambda', Float32Array.of(lambda)]]))
  trainer.restore(new Map(step.state.map(({ name, initial }) => [name, weights.get(name) ?? initial])))
  const random = seededRandom(seed)
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const order = shuffled(examples, random)
    for (let at = 0; at < order.length; at += BATCH) {
      await trainer.step(batchOf([...order.slice(at, at + BATCH), ...more()]))
    }
  }
  const state = await trainer.state()
  return new Map(parameters.map(({ name }) => [name, state.get(name)!]))
}

/** Fisher information of `weights`, mean over examples one at a time. */
async function importance(weights: Weights, examples: readonly Utterance[], seed: number): Promise<Weights> {
  fisher.restore(weights)
  fisher.restore(new Map(parameters.map(({ name, initial }) => [fisherName(name), new Float32Array(initial.length)])))
  const drawn = shuffled(examples, seededRandom(seed)).slice(0, FISHER_EXAMPLES)
  for (const example of drawn) await fisher.step(batchOf([example]))
  const sums = await fisher.state()
  return new Map(parameters.map(({ name }) => [name, sums.get(fisherName(name))!.map((sum) => sum / drawn.length)]))
}

/** Accuracy in %. */
async function accuracy(weights: Weights, examples: readonly Utterance[]): Promise<number> {
  const state = parameters.map(({ name, dims }) => [name, { type: 'float32', dims, data: weights.get(name)! }] as const)
  const outputs = await runOnce(serving, { ...Object.fromEntries(state), x: rowsOf(examples) })
  const guesses = largest(outputs.get('logits')!.data, intents.length)
  const right = guesses.filter((guess, i) => guess === classOf.get(examples[i]!.intent)).length
  return (100 * right) / examples.length
}

const startMs = performance.now()
const results = new Map<string, { old: number[]; new: number[] }>()
for (const seed of SEEDS) {
  const order = shuffled(intents, seededRandom(seed))
  const first = new Set(order.slice(0, order.length / 2))
  const select = (split: string, old: boolean) =>
    utterances.filter((utterance) => utterance.split === split && first.has(utterance.intent) === old)
  const [oldTrain, newTrain] = [select('train', true), select('train', false)]
  const [oldTest, newTest] = [select('val', true), select('val', false)]

  const initial: Weights = new Map(fresh(seed).map(({ name, initial }) => [name, initial]))
  const before = await learn(0, initial, oldTrain, seed)
  const fisherOfBefore = await importance(before, oldTrain, seed)
  for (const { name } of parameters) {
    trainer.restore(
      new Map([
        [centreName(name), before.get(name)!],
        [`${name}.importance`, fisherOfBefore.get(name)!],
      ]),
    )
  }
  const replay = () => {
    const random = seededRandom(1_000 + seed)
    const buffer = replayBuffer<Utterance>(REPLAYED, random)
    for (const example of shuffled(oldTrain, random)) buffer.add(example)
    return () => buffer.sample(BATCH)
  }
  const arms: Readonly<Record<string, () => Promise<Weights>>> = {
    'first half only': async () => before,
    'fine-tuning': () => learn(0, before, newTrain, seed),
    EWC: () => learn(LAMBDA, before, newTrain, seed),
    'EWC + replay': () => learn(LAMBDA, before, newTrain, seed, replay()),
    'replay alone': () => learn(0, before, newTrain, seed, replay()),
    'both at once': () => learn(0, initial, [...oldTrain, ...newTrain], seed),
  }
  for (const [arm, train] of Object.entries(arms)) {
    const weights = await train()
    const row = results.get(arm) ?? { old: [], new: [] }
    row.old.push(await accuracy(weights, oldTest))
    row.new.push(await accuracy(weights, newTest))
    results.set(arm, row)
  }
  console.error(`seed ${seed}: ${((performance.now() - startMs) / 1_000).toFixed(0)} s`)
}

console.log(
  `${intents.length} intents, ${utterances.length} texts, ${REPLAYED} replayed of the first half, λ ${LAMBDA}`,
)
console.log('arm               old accuracy %    new accuracy %')
for (const [arm, row] of results) {
  console.log(`${arm.padEnd(16)} ${written(interval(row.old)).padStart(15)} ${written(interval(row.new)).padStart(17)}`)
}
await Promise.all([trainer.close(), fisher.close(), serving.release()])
