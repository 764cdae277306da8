import { kafkaRefusal } from './kafka-errors.ts'
import type { KafkaRequest } from './kafka-link.ts'
import { RecordBatch } from './kafka-record-batch.ts'
import { protocolOf } from './kafka-requests.ts'

export interface FetchOptions {
  /** A broker answers after so long without a record. */
  readonly maxWaitMs: number
  readonly maxPartitionBytes: number
}

/** One partition, and the offset from which on it is to be read. */
export interface Wanted {
  readonly topic: string
  readonly partition: number
  readonly fetchAt: number
}

/** What a broker says about one partition. */
export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  /** 0, or the protocol's code for why there is nothing. */
  readonly errorCode: number
  /** Where committed records end. */
  readonly committedEnd: number
  /** Those with committed records. */
  readonly batches: readonly RecordBatch[]
  /** The offset behind the last whole batch, of whatever kind; null: there was none. */
  readonly next: number | null
}

/** A broker sends about so much at once. */
const MOST_BYTES = 16 * 2 ** 20

const fetch = protocolOf<object, object>('fetch', 11)

/** Committed records of several partitions that one broker leads. The answer is decoded by ourselves: see `RecordBatch`. */
export function fetchRequest(
  wanted: readonly Wanted[],
  { maxWaitMs, maxPartitionBytes }: FetchOptions,
): KafkaRequest<readonly FetchedPartition[]> {
  const topics = [...Map.groupBy(wanted, ({ topic }) => topic)].map(([topic, of]) => ({
    topic,
    partitions: of.map(({ partition, fetchAt }) => ({
      partition,
      fetchOffset: String(fetchAt),
      maxBytes: maxPartitionBytes,
    })),
  }))
  const { request } = fetch({ maxWaitTime: maxWaitMs, minBytes: 1, maxBytes: MOST_BYTES, topics })
  return {
    request,
    response: { decode: async (bytes) => decodeFetch(bytes), parse: async (decoded) => decoded as FetchedPartition[] },
  }
}

/**
 * The answer to a fetch request, version 11:
 *
 *   throttle_time:4 error_code:2 session_id:4 [topic [partition:4 error_code:2 high_watermark:8 last_stable_offset:8
 *   log_start_offset:8 [producer_id:8 first_offset:8] preferred_read_replica:4 record_set]]
 */
export function decodeFetch(bytes: Buffer): FetchedPartition[] {
  const found: FetchedPartition[] = []
  const refusal = bytes.readInt16BE(4)
  if (refusal !== 0) throw kafkaRefusal(refusal)
  let at = 10
  const int32 = (): number => {
    at += 4
    return bytes.readInt32BE(at - 4)
  }
  for (let topics = int32(); topics > 0; topics--) {
    const nameAt = at + 2
    at = nameAt + bytes.readInt16BE(at)
    const topic = bytes.toString('utf8', nameAt, at)
    for (let partitions = int32(); partitions > 0; partitions--) {
      const partition = int32()
      const errorCode = bytes.readInt16BE(at)
      const committedEnd = Number(bytes.readBigInt64BE(at + 10))
      at += 26
      const aborted: AbortedTransaction[] = []
      for (let count = int32(); count > 0; count--) {
        aborted.push({ producerId: bytes.readBigInt64BE(at), firstOffset: Number(bytes.readBigInt64BE(at + 8)) })
        at += 16
      }
      at += 4
      const sizeBytes = Math.max(0, int32())
      const all = batchesOf(bytes.subarray(at, at + sizeBytes))
      at += sizeBytes
      const next = all.length === 0 ? null : all.at(-1)!.lastOffset + 1
      found.push({ topic, partition, errorCode, committedEnd, batches: committedOf(all, aborted), next })
    }
  }
  return found
}

function batchesOf(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = []
  for (let at = 0; ; at += batches.at(-1)!.sizeBytes) {
    const batch = RecordBatch.at(bytes, at)
    if (batch === null) return batches
    batches.push(batch)
  }
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/**
 * The batches that readers may see: no markers, and none of an aborted transaction. Source: Kafka's own consumer
 * (CompletedFetch.nextFetchedRecord): from a transaction's first offset on a producer's batches are aborted, until its
 * abort marker. `aborted` comes sorted by the transactions' ends, while they are needed by their beginnings.
 */
export function committedOf<
  Batch extends Pick<RecordBatch, 'lastOffset' | 'producerId' | 'isControl' | 'isAbort' | 'isTransactional'>,
>(batches: readonly Batch[], aborted: readonly AbortedTransaction[]): readonly Batch[] {
  if (aborted.length === 0) return batches.filter(({ isControl }) => !isControl)
  const byBeginning = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const open = new Set<bigint>()
  let begun = 0
  return batches.filter((batch) => {
    for (; begun < byBeginning.length && byBeginning[begun]!.firstOffset <= batch.lastOffset; begun++) {
      open.add(byBeginning[begun]!.producerId)
    }
    if (!batch.isControl) return !(batch.isTransactional && open.has(batch.producerId))
    if (batch.isAbort) open.delete(batch.producerId)
    return false
  })
}
