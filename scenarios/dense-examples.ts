import type { DenseExample } from '../gpu/online-dense.ts'
import { ByteReader, ByteWriter } from '../processors/byte-buffer.ts'
import { EXAMPLE, type Example } from '../processors/model-update.ts'
import type { Emit, Entry, Step } from '../processors/step.ts'
import { topicName } from '../schemas/topics.ts'
import type { ValueCodec } from '../streams/codec/event-codec.ts'
import type { TopicSpec } from '../streams/event-log/event-log.ts'
import type { Topology } from '../streams/topology.ts'
import { LEARN } from './compile-topology.ts'

const SHORT = 'dense-examples'
/** A learner drops what it has learnt; where none runs for so long, what it has not goes, too. */
const RETENTION_MS = 30 * 86_400_000
/** Of the records' form. */
const VERSION = 1

/** What a dense model learns from, in one order: the features of a score as it was served, with its label. */
export function examplesTopic(scenario: string): TopicSpec {
  const name = topicName(scenario, SHORT)
  return { name, partitions: 1, cleanup: 'delete', retentionMs: RETENTION_MS, maxRecordBytes: 1_000_000 }
}

/**
 * The topology with one more output, the examples. They leave the learning stage, which meets the features of every score
 * together with its label and is one task in all: so none waits in memory, and they come in one order.
 */
export function withExamples(topology: Topology): Topology {
  const topic = examplesTopic(topology.scenario)
  const output = {
    short: SHORT,
    topic: topic.name,
    codec: denseExampleCodec as ValueCodec<object>,
    type: `rheo.${topology.scenario}.DenseExample`,
    headers: 'none',
    partitions: 1,
  } as const
  const stages = topology.stages.map((stage) =>
    stage.name === LEARN ? { ...stage, create: (task: number) => puttingOut(stage.create(task)) } : stage,
  )
  return { ...topology, stages, outputs: [...topology.outputs, output], topics: [...topology.topics, topic] }
}

function puttingOut(step: Step): Step {
  return {
    ...step,
    fold(entry, state, emit) {
      step.fold(entry, state, emit)
      if (entry.kind === EXAMPLE) putOut(entry, emit)
    },
  }
}

/** Each score once: the opposite label was learnt before a correction. */
function putOut({ body, key, eventTimeMs }: Entry, emit: Emit): void {
  const { features, label, scoredMs, corrected } = body as Example
  if (corrected) return
  emit.output(SHORT, key, eventTimeMs, () => ({ features, label, eventMs: scoredMs, labelMs: eventTimeMs }))
}

/** Version, label, both times as float64, then the features as float32, little-endian. */
export const denseExampleCodec: ValueCodec<DenseExample> = {
  encode({ features, label, eventMs, labelMs }) {
    const writer = ByteWriter.borrow()
    writer.byte(VERSION)
    writer.byte(label)
    writer.float64(eventMs)
    writer.float64(labelMs)
    writer.varint(features.length)
    for (let i = 0; i < features.length; i++) writer.float32(features[i]!)
    return writer.take()
  },
  decode(bytes) {
    const reader = new ByteReader(bytes)
    const version = reader.byte()
    if (version !== VERSION) throw new Error(`example version ${version} was written by another version of Rheo`)
    const label = reader.byte() as 0 | 1
    const eventMs = reader.float64()
    const labelMs = reader.float64()
    const features = new Float32Array(reader.varint())
    for (let i = 0; i < features.length; i++) features[i] = reader.float32()
    return { features, label, eventMs, labelMs }
  },
  prepare: () => undefined,
}
