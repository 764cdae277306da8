import { ByteReader, ByteWriter } from '../../processors/byte-buffer.ts'
import type { BodyCodec } from '../../processors/step.ts'
import { VectorPool } from '../../processors/vector-pool.ts'
import { reject } from '../../schemas/rejection.ts'
import type { ValueCodec } from '../../streams/codec/event-codec.ts'
import type { InputCodec } from '../../streams/codec/input-codec.ts'
import type { TopicSpec } from '../../streams/event-log/event-log.ts'
import type { Stage, Topology } from '../../streams/topology.ts'
import { type Hop, type Payment, readPayment, type Score, writeScore } from './velocity-events.ts'
import { CUSTOMER_FEATURES, createCustomerStep, createTerminalStep } from './velocity-steps.ts'

export const PARTITIONS = 4
const MAX_RECORD_BYTES = 1_000_000

/** The bench's schemas have ids of their own, so its codecs are its own, too. */
const inputCodec = {
  schema: { name: 'Payment' },
  encode: () => {
    throw new Error('nothing is late here, so no payment is written')
  },
  decode(bytes: Uint8Array | null) {
    return bytes === null || bytes.length < 20 ? reject('EMPTY_VALUE', 'no payment') : readPayment(bytes)
  },
  prepare: () => undefined,
} as unknown as InputCodec<object>

const outputCodec = {
  encode: (score: object) => writeScore(score as Score),
  prepare: () => undefined,
} as unknown as ValueCodec<object>

/** A payment goes on as the bytes that it came in. */
const paymentBody: BodyCodec = {
  encode: (body) => (body as Payment).bytes,
  decode: (bytes) => readPayment(bytes),
}

const writer = new ByteWriter(256)
const vectors = new VectorPool()

/** Features that are counts, among the customer's; all others are float64. */
const COUNTS = new Set([0, 2, 4, 6, 9])

const hopBody: BodyCodec = {
  encode(body) {
    const { paymentId, amount, features } = body as Hop
    writer.text(paymentId)
    writer.float64(amount)
    for (let i = 0; i < features.length; i++) {
      if (COUNTS.has(i)) writer.varint(features[i]!)
      else writer.float64(features[i]!)
    }
    return writer.take()
  },
  decode(bytes): Hop {
    const reader = new ByteReader(bytes)
    const paymentId = reader.text()
    const amount = reader.float64()
    const features = vectors.take(CUSTOMER_FEATURES)
    for (let i = 0; i < features.length; i++) features[i] = COUNTS.has(i) ? reader.varint() : reader.float64()
    return { paymentId, amount, features }
  },
}

/** Payments → customer's features → terminal's features and score, on topics that exist; its own start with `name`. */
export function velocityTopology(name: string, inTopic: string, outTopic: string): Topology {
  const stage = (short: string, next: readonly string[], create: () => unknown): Stage => ({
    name: short,
    topic: `${name}-stage-${short}`,
    tasks: 'every',
    next,
    create: create as Stage['create'],
  })
  const stages = [stage('customer', ['terminal'], createCustomerStep), stage('terminal', [], createTerminalStep)]
  const spec = (topic: string): TopicSpec => ({
    name: topic,
    partitions: PARTITIONS,
    cleanup: 'delete',
    retentionMs: null,
    maxRecordBytes: MAX_RECORD_BYTES,
  })
  const side = { dlqTopic: `${name}-dlq`, lateTopic: `${name}-late` }
  return {
    scenario: name,
    partitions: PARTITIONS,
    sources: [
      {
        kind: 'payment',
        short: 'payments',
        topic: inTopic,
        ...side,
        codec: inputCodec,
        eventTimeMs: (event) => (event as Payment).eventTimeMs,
        watermark: 'advances',
        route: (event, tMs, emit) => emit.to('customer', 'payment', (event as Payment).customerId, tMs, event, null),
      },
    ],
    intakeNext: ['customer'],
    stages,
    outputs: [{ short: 'scores', topic: outTopic, codec: outputCodec, type: 'bench.Score', headers: 'none' }],
    bodies: new Map([
      ['payment', paymentBody],
      ['hop', hopBody],
    ]),
    topics: [...stages.map(({ topic }) => spec(topic)), spec(side.dlqTopic), spec(side.lateTopic)],
    maxFutureMs: Number.MAX_SAFE_INTEGER,
    announceEveryMs: 60_000,
  }
}
