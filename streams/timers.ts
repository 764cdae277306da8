import { ByteReader, ByteWriter } from '../processors/byte-buffer.ts'
import type { MaybePromise } from './event-log/event-log.ts'

/** Timers of one bucket share pages, so that a flush writes only the pages that changed. */
const BUCKET_MS = 60_000
const PAGE_TIMERS = 1_024
/** The page of the timers whose buckets have been opened. */
const OPEN = 'open'

export interface Timer {
  readonly key: string
  readonly atMs: number
}

interface Page {
  readonly name: string
  /** null: only the state store holds them. */
  timers: Timer[] | null
}

/** Reads pages from the state store. */
export type LoadPages = (names: readonly string[]) => MaybePromise<readonly (Uint8Array | undefined)[]>

/**
 * Event-time timers of one task and stage: a projection of the log like any other state.
 * They fire in order of time, at equal times in order of their key, so the order does not depend on how batches are cut.
 *
 * Far timers lie unsorted in buckets of a minute; a bucket is sorted when the watermark reaches it. Most of them wait for
 * days: once the state store has a page, and it has not changed since, memory lets go of its timers until they are near.
 */
export class Timers {
  readonly #buckets = new Map<number, Page[]>()
  /** The buckets, ascending from #head on. New ones mostly go to the end. */
  #order: number[] = []
  #head = 0
  /** The timers of opened buckets, ascending from #next on. */
  #open: Timer[] = []
  #next = 0
  #openedUntil = Number.NEGATIVE_INFINITY
  readonly #changed = new Set<Page>()
  /** Written by the flush before. */
  #stored: Page[] = []
  readonly #gone = new Set<string>()
  #openChanged = false

  set(key: string, atMs: number): void {
    const bucket = Math.floor(atMs / BUCKET_MS)
    if (bucket <= this.#openedUntil) {
      this.#insertOpen({ key, atMs })
      return
    }
    let pages = this.#buckets.get(bucket)
    if (pages === undefined) {
      pages = []
      this.#buckets.set(bucket, pages)
      this.#enqueue(bucket)
    }
    let page = pages[pages.length - 1]
    let timers = page?.timers ?? null
    if (page === undefined || timers === null || timers.length >= PAGE_TIMERS) {
      timers = []
      page = { name: `${bucket}.${pages.length}`, timers }
      pages.push(page)
    }
    timers.push({ key, atMs })
    this.#changed.add(page)
  }

  /** Has to be awaited before `takeDue` or `keysUntil` is asked about a watermark for the first time; null: nothing to load. */
  load(watermarkMs: number, load: LoadPages): Promise<void> | null {
    if (watermarkMs < this.earliestMs) return null
    const last = Math.floor(watermarkMs / BUCKET_MS)
    const away: Page[] = []
    for (let i = this.#head; i < this.#order.length && this.#order[i]! <= last; i++)
      for (const page of this.#buckets.get(this.#order[i]!)!) if (page.timers === null) away.push(page)
    return away.length === 0 ? null : loadPages(away, load)
  }

  /** No timer is earlier than this; Infinity when there is none. */
  get earliestMs(): number {
    const open = this.#open[this.#next]
    if (open !== undefined) return open.atMs
    const bucket = this.#order[this.#head]
    return bucket === undefined ? Number.POSITIVE_INFINITY : bucket * BUCKET_MS
  }

  /** Removes and returns the timers with atMs ≤ watermarkMs. */
  takeDue(watermarkMs: number): readonly Timer[] {
    this.#openBuckets(Math.floor(watermarkMs / BUCKET_MS))
    const from = this.#next
    while (this.#next < this.#open.length && this.#open[this.#next]!.atMs <= watermarkMs) this.#next++
    if (this.#next === from) return []
    this.#openChanged = true
    return this.#open.slice(from, this.#next)
  }

  /** The keys of the timers that `takeDue(watermarkMs)` would return, so that their state can be loaded ahead. */
  keysUntil(watermarkMs: number): string[] {
    if (watermarkMs < this.earliestMs) return []
    this.#openBuckets(Math.floor(watermarkMs / BUCKET_MS))
    const keys: string[] = []
    for (let i = this.#next; i < this.#open.length && this.#open[i]!.atMs <= watermarkMs; i++)
      keys.push(this.#open[i]!.key)
    return keys
  }

  /** What to write since the last call. What the last call said must be in the state store by now. */
  changedPages(): { puts: [page: string, value: Uint8Array][]; deletes: string[] } {
    for (const page of this.#stored) if (!this.#changed.has(page)) page.timers = null
    this.#stored = [...this.#changed]
    const puts = this.#stored.map(({ name, timers }): [string, Uint8Array] => [name, encodeTimers(timers!)])
    const deletes = [...this.#gone]
    if (this.#openChanged) {
      if (this.#next === this.#open.length) deletes.push(OPEN)
      else puts.push([OPEN, encodeTimers(this.#open.slice(this.#next))])
    }
    this.forgetChanges()
    return { puts, deletes }
  }

  /** Where nothing is stored, changes need not be kept. */
  forgetChanges(): void {
    this.#changed.clear()
    this.#gone.clear()
    this.#openChanged = false
  }

  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void {
    for (const [name, value] of pages) {
      if (name === OPEN) {
        this.#open = decodeTimers(value)
        continue
      }
      const [bucket, index] = name.split('.').map(Number) as [number, number]
      let list = this.#buckets.get(bucket)
      if (list === undefined) {
        list = []
        this.#buckets.set(bucket, list)
        this.#enqueue(bucket)
      }
      list[index] = { name, timers: null }
    }
    const last = this.#open[this.#open.length - 1]
    if (last !== undefined) this.#openedUntil = Math.floor(last.atMs / BUCKET_MS)
  }

  #openBuckets(last: number): void {
    if (this.#head === this.#order.length || this.#order[this.#head]! > last) return
    const open = this.#open.slice(this.#next)
    while (this.#head < this.#order.length && this.#order[this.#head]! <= last) {
      const bucket = this.#order[this.#head++]!
      for (const page of this.#buckets.get(bucket)!) {
        if (page.timers === null) throw new Error(`the timers of ${page.name} were not loaded`)
        for (const timer of page.timers) open.push(timer)
        this.#changed.delete(page)
        this.#gone.add(page.name)
      }
      this.#buckets.delete(bucket)
      this.#openedUntil = Math.max(this.#openedUntil, bucket)
    }
    this.#open = open.sort(earlierFirst)
    this.#next = 0
    this.#openChanged = true
  }

  #insertOpen(timer: Timer): void {
    let place = this.#open.length
    while (place > this.#next && earlierFirst(timer, this.#open[place - 1]!) < 0) place--
    this.#open.splice(place, 0, timer)
    this.#openChanged = true
  }

  #enqueue(bucket: number): void {
    if (this.#head > 4_096 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head)
      this.#head = 0
    }
    let place = this.#order.length
    while (place > this.#head && this.#order[place - 1]! > bucket) place--
    if (place === this.#order.length) this.#order.push(bucket)
    else this.#order.splice(place, 0, bucket)
  }
}

function earlierFirst(a: Timer, b: Timer): number {
  return a.atMs - b.atMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
}

async function loadPages(pages: readonly Page[], load: LoadPages): Promise<void> {
  const values = await load(pages.map(({ name }) => name))
  pages.forEach((page, i) => {
    const value = values[i]
    if (value === undefined) throw new Error(`the state store lacks the timers of ${page.name}`)
    page.timers = decodeTimers(value)
  })
}

function encodeTimers(timers: readonly Timer[]): Uint8Array {
  const writer = ByteWriter.borrow()
  writer.varint(timers.length)
  for (const { key, atMs } of timers) {
    writer.text(key)
    writer.float64(atMs)
  }
  return writer.take()
}

function decodeTimers(value: Uint8Array): Timer[] {
  const reader = new ByteReader(value)
  return Array.from({ length: reader.varint() }, () => ({ key: reader.text(), atMs: reader.float64() }))
}
