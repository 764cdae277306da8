import { type Emit, type Entry, FEEDBACK, type Origin, PROGRESS, WATERMARK } from '../processors/step.ts'
import { NOTHING_TOLD, type ToldProgress } from './channel-merge.ts'
import type { Appends, NewRecord } from './event-log/event-log.ts'
import { EventValue, outputRecord } from './event-value.ts'
import { Block } from './packing.ts'
import { partitionOf } from './partition.ts'
import type { Output, Stage, Topology } from './topology.ts'

/** Entries in one block at most: about 250 KB with 60 features, well under Kafka's 1 MB a record. */
const BLOCK_ENTRIES = 256
/** Model updates are the only large bodies: a block is closed after one of these. */
const LARGE_BODY_BYTES = 65_536

interface Edge {
  readonly stage: Stage
  readonly boxes: Entry[][]
  /** Per partition, the watermark that it last got from this task; null on stages that are no `next`. */
  readonly announcedMs: number[] | null
  /** Per partition, the progress that it was told last. */
  readonly told: ToldProgress[]
}

/** The dead letters, late records and duplicates of a task, and what it took in and gave out. */
export interface Counts {
  records: number
  rejected: number
  deleted: number
  late: number
  duplicates: number
  [output: string]: number
}

/**
 * Collects what one turn of a task emits, until it is committed as one transaction.
 * Folding again after a crash uses the same outbox and throws its contents away.
 */
export class Outbox implements Emit {
  watermarkMs = Number.NEGATIVE_INFINITY
  /** Of the entry or record being folded. */
  origin: Origin | null = null
  /** How far the sources have been read, all of it in what was and will be taken from here; Infinity: no backlog. */
  progressMs = Number.POSITIVE_INFINITY
  #backlogs = 0
  counts: Counts
  readonly #channel: number
  readonly #topology: Topology
  readonly #edges = new Map<string, Edge>()
  readonly #forward: Edge[] = []
  readonly #outputs: ReadonlyMap<string, Output>
  #records = new Map<string, NewRecord[][]>()
  readonly #timer: (key: string, atMs: number) => void
  readonly #forget: () => void
  readonly #clock: () => number

  constructor(more: {
    readonly topology: Topology
    readonly channel: number
    readonly next: readonly string[]
    readonly counts: Counts
    readonly timer: (key: string, atMs: number) => void
    readonly forget: () => void
    readonly clock: () => number
  }) {
    this.#topology = more.topology
    this.#channel = more.channel
    this.#timer = more.timer
    this.#forget = more.forget
    this.#clock = more.clock
    this.counts = more.counts
    this.#outputs = new Map(more.topology.outputs.map((output) => [output.short, output]))
    for (const stage of more.topology.stages) {
      const partitions = stage.tasks === 'first' ? 1 : more.topology.partitions
      const next = more.next.includes(stage.name)
      const edge: Edge = {
        stage,
        boxes: Array.from({ length: partitions }, () => []),
        told: Array.from({ length: partitions }, () => NOTHING_TOLD),
        announcedMs: next ? Array.from({ length: partitions }, () => Number.NEGATIVE_INFINITY) : null,
      }
      this.#edges.set(stage.name, edge)
      if (next) this.#forward.push(edge)
    }
  }

  to(
    stage: string,
    kind: string,
    key: string,
    eventTimeMs: number,
    body: unknown,
    features: Float64Array | null,
  ): void {
    const edge = this.#edge(stage)
    const partition = partitionOf(key, edge.boxes.length)
    const watermarkMs = this.watermarkMs
    if (edge.announcedMs === null) throw notNext(stage)
    edge.announcedMs[partition] = watermarkMs
    const { origin } = this
    edge.boxes[partition]!.push({ kind, key, eventTimeMs, watermarkMs, channel: this.#channel, body, features, origin })
  }

  feedback(stage: string, kind: string, key: string, eventTimeMs: number, body: unknown): void {
    const edge = this.#edge(stage)
    edge.boxes[partitionOf(key, edge.boxes.length)]!.push(feedbackEntry(kind, key, eventTimeMs, body, this.origin))
  }

  broadcast(stage: string, kind: string, eventTimeMs: number, body: unknown): void {
    for (const box of this.#edge(stage).boxes) box.push(feedbackEntry(kind, '', eventTimeMs, body, null))
  }

  output(short: string, key: string, eventTimeMs: number, event: () => object): void {
    const output = this.#outputs.get(short)
    if (output === undefined) throw new Error(`the topology has no output topic "${short}"`)
    this.counts[short] = (this.counts[short] ?? 0) + 1
    const partition = partitionOf(key, output.partitions ?? this.#topology.partitions)
    const value = new EventValue(event, output.codec)
    const timestampMs = this.#clock()
    if (output.headers === 'none') {
      this.record(output.topic, partition, { key: Buffer.from(key), value, timestampMs })
      return
    }
    const about = { scenario: this.#topology.scenario, type: output.type, origin: this.origin }
    this.record(output.topic, partition, outputRecord(value, key, eventTimeMs, timestampMs, about))
  }

  /** A record for any topic: dead letters and late records keep the bytes they came with. */
  record(topic: string, partition: number, record: NewRecord): void {
    let partitions = this.#records.get(topic)
    if (partitions === undefined) {
      partitions = []
      this.#records.set(topic, partitions)
    }
    const list = partitions[partition]
    if (list === undefined) partitions[partition] = [record]
    else list.push(record)
  }

  timer(key: string, atMs: number): void {
    this.#timer(key, atMs)
  }

  forget(): void {
    this.#forget()
  }

  late(entry: Entry): void {
    this.counts.late++
    const source = this.#topology.sources.find(({ kind }) => kind === entry.kind)
    if (source === undefined)
      throw new Error(`entries of kind "${entry.kind}" come from no source, so none can be late`)
    const value = source.codec.encode(entry.body as object)
    const record = { key: Buffer.from(entry.key), value, timestampMs: this.#clock() }
    this.record(source.lateTopic, partitionOf(entry.key, this.#topology.partitions), record)
  }

  duplicate(entry: Entry): void {
    this.counts.duplicates++
    const ofKind = `duplicates.${entry.kind}`
    this.counts[ofKind] = (this.counts[ofKind] ?? 0) + 1
  }

  /** Tells the partitions that got nothing lately how far event time has come. Depends on entries alone, not on batches. */
  announce(): void {
    const watermarkMs = this.watermarkMs
    if (watermarkMs === Number.NEGATIVE_INFINITY) return
    for (const { announcedMs, boxes } of this.#forward) {
      for (let p = 0; p < boxes.length; p++) {
        if (watermarkMs - announcedMs![p]! < this.#topology.announceEveryMs) continue
        announcedMs![p] = watermarkMs
        boxes[p]!.push(controlEntry(WATERMARK, watermarkMs, watermarkMs, this.#channel))
      }
    }
  }

  announcedMs(): readonly (readonly [stage: string, announcedMs: readonly (number | null)[]])[] {
    return this.#forward.map((edge) => [
      edge.stage.name,
      edge.announcedMs!.map((ms) => (ms === Number.NEGATIVE_INFINITY ? null : ms)),
    ])
  }

  restoreAnnounced(announced: ReturnType<Outbox['announcedMs']>): void {
    for (const [stage, list] of announced) {
      const edge = this.#edges.get(stage)
      list.forEach((ms, p) => {
        if (ms !== null && edge?.announcedMs) edge.announcedMs[p] = ms
      })
    }
  }

  /** Backlogs of which all next stages have been told. */
  get backlogs(): number {
    return this.#backlogs
  }

  /** There is another backlog: says so before anything that comes of it. */
  hearOfBacklogs(backlogs: number): void {
    if (backlogs <= this.#backlogs) return
    this.#backlogs = backlogs
    for (const { boxes, told } of this.#forward) {
      boxes.forEach((box, p) => {
        told[p] = { progressMs: Number.NEGATIVE_INFINITY, backlogs }
        box.push(this.#progressEntry(told[p]!))
      })
    }
  }

  /** Whether partitions have to be told of another progress, though there may be nothing else for them. */
  get hasProgress(): boolean {
    return this.#forward.some(({ told }) => told.some(({ progressMs }) => progressMs !== this.progressMs))
  }

  /** What all were told before a restart. */
  restoreProgress(progress: ToldProgress): void {
    this.progressMs = progress.progressMs
    this.#backlogs = progress.backlogs
    for (const { told } of this.#forward) told.fill(progress)
  }

  /** Everything collected, as appends; the outbox is empty afterwards. */
  take(): Appends[] {
    this.#tellProgress()
    const appends: Appends[] = []
    const timestampMs = this.#clock()
    for (const { stage, boxes } of this.#edges.values()) {
      for (let partition = 0; partition < boxes.length; partition++) {
        const box = boxes[partition]!
        if (box.length === 0) continue
        boxes[partition] = []
        appends.push({ topic: stage.topic, partition, records: this.#blocks(box, timestampMs) })
      }
    }
    if (this.#records.size > 0) {
      for (const [topic, partitions] of this.#records) {
        // Not every partition has some: the list has holes.
        partitions.forEach((records, partition) => {
          appends.push({ topic, partition, records })
        })
      }
      this.#records = new Map()
    }
    return appends
  }

  #tellProgress(): void {
    const progress = { progressMs: this.progressMs, backlogs: this.#backlogs }
    for (const { boxes, told } of this.#forward) {
      for (let p = 0; p < boxes.length; p++) {
        if (told[p]!.progressMs === progress.progressMs) continue
        told[p] = progress
        boxes[p]!.push(this.#progressEntry(progress))
      }
    }
  }

  #progressEntry({ progressMs, backlogs }: ToldProgress): Entry {
    const entry = controlEntry(PROGRESS, progressMs, Number.NEGATIVE_INFINITY, this.#channel)
    return { ...entry, key: String(backlogs) }
  }

  #blocks(box: readonly Entry[], timestampMs: number): NewRecord[] {
    const bodies = this.#topology.bodies
    const record = (entries: readonly Entry[]): NewRecord => ({
      key: null,
      value: new Block(entries, bodies),
      timestampMs,
    })
    if (box.length <= BLOCK_ENTRIES && !box.some(isLarge)) return [record(box)]
    const records: NewRecord[] = []
    let open: Entry[] = []
    for (const entry of box) {
      open.push(entry)
      if (open.length >= BLOCK_ENTRIES || isLarge(entry)) {
        records.push(record(open))
        open = []
      }
    }
    if (open.length > 0) records.push(record(open))
    return records
  }

  #edge(stage: string): Edge {
    const edge = this.#edges.get(stage)
    if (edge === undefined) throw new Error(`the topology has no stage "${stage}"`)
    return edge
  }
}

/** A watermark on an edge that nobody counts on, back to the stage itself perhaps, would hold up or overtake others. */
function notNext(stage: string): Error {
  return new Error(`a step sends to "${stage}", which is no \`next\` of its stage: name it there, or use feedback`)
}

function feedbackEntry(kind: string, key: string, eventTimeMs: number, body: unknown, origin: Origin | null): Entry {
  const watermarkMs = Number.NEGATIVE_INFINITY
  return { kind, key, eventTimeMs, watermarkMs, channel: FEEDBACK, body, features: null, origin }
}

function controlEntry(kind: string, eventTimeMs: number, watermarkMs: number, channel: number): Entry {
  return { kind, key: '', eventTimeMs, watermarkMs, channel, body: null, features: null, origin: null }
}

function isLarge(entry: Entry): boolean {
  const body = entry.body as { bytes?: unknown } | null
  return body?.bytes instanceof Uint8Array && body.bytes.length > LARGE_BODY_BYTES
}
