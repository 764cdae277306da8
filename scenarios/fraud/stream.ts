import type { Admission } from '../../streams/replay.ts'
import type { Topology } from '../../streams/topology.ts'
import type { BuiltInStream, GeneratedStream } from '../built-in-stream.ts'
import { attackSpans, driftMarks } from './generator/drift.ts'
import { generatePayments } from './generator/generate-payments.ts'
import type { GeneratorOptions } from './generator/generated-payment.ts'
import { withLabels } from './generator/labels.ts'
import { startLivePayments } from './generator/live-payments.ts'

const BATCH = 1_024
/** 2026-01-01T00:00:00Z, a round date in the past. */
export const STREAM_START_MS = 1_767_225_600_000

/** Payments of a world with customers, devices and terminals, and fraud that changes. */
export const paymentStream: BuiltInStream = {
  startMs: STREAM_START_MS,
  admissions: generatedAdmissions,
  marks: (stream) => driftMarks(worldOf(stream)),
  spans: (stream) => attackSpans(worldOf(stream)),
  startLive: startLivePayments,
}

export function* generatedAdmissions(
  topology: Topology,
  stream: GeneratedStream,
  skipItems: number,
  untilMs: number | null,
): Generator<readonly Admission[]> {
  const [payments, labels] = topology.sources
  const generated = generatePayments(worldOf(stream))
  const items = withLabels(generated, { delay: stream.labelDelayMs, seed: stream.seed, coverage: 'all' })
  let batch: Admission[] = []
  let index = 0
  for (const item of items) {
    if (index++ < skipItems) continue
    const isPayment = item.kind === 'payment'
    const event = isPayment ? item.generated.payment : item.label
    if (untilMs !== null && event.eventTime >= untilMs) break
    const source = isPayment ? payments! : labels!
    const key = isPayment ? item.generated.payment.customerId : item.label.paymentId
    batch.push({ atMs: event.eventTime, topic: source.topic, key, value: source.codec.encode(event) })
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}

function worldOf(stream: GeneratedStream): GeneratorOptions {
  return { ...stream, start: STREAM_START_MS }
}
