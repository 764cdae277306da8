import { ByteReader, ByteWriter } from '../processors/byte-buffer.ts'

/** Timers of one bucket share a page, so that a flush writes only the pages that changed. */
const BUCKET_MS = 60_000
const PAGE_TIMERS = 1_024

interface Page {
  readonly name: string
  readonly keys: string[]
  readonly atMs: number[]
}

/**
 * Event-time timers of one task and stage: a projection of the log like any other state.
 * They fire in order of time, at equal times in order of their key, so the order does not depend on how batches are cut.
 */
export class Timers {
  readonly #buckets = new Map<number, Page[]>()
  /** The buckets that hold timers, ascending from #head on. New ones mostly go to the end. */
  #order: number[] = []
  #head = 0
  #earliestMs = Number.POSITIVE_INFINITY
  readonly #changed = new Set<Page>()
  readonly #gone = new Set<string>()

  set(key: string, atMs: number): void {
    const bucket = Math.floor(atMs / BUCKET_MS)
    let pages = this.#buckets.get(bucket)
    if (pages === undefined) {
      this.#buckets.set(bucket, (pages = []))
      this.#enqueue(bucket)
    }
    let page = pages[pages.length - 1]
    if (page === undefined || page.keys.length >= PAGE_TIMERS) {
      page = { name: `${bucket}.${pages.length}`, keys: [], atMs: [] }
      pages.push(page)
      this.#gone.delete(page.name)
    }
    page.keys.push(key)
    page.atMs.push(atMs)
    this.#changed.add(page)
    if (atMs < this.#earliestMs) this.#earliestMs = atMs
  }

  /** The time of the next timer, Infinity when there is none. */
  get earliestMs(): number {
    return this.#earliestMs
  }

  /** Removes and returns the timers with atMs ≤ watermarkMs. O(timers of the buckets due). */
  takeDue(watermarkMs: number): readonly { readonly key: string; readonly atMs: number }[] {
    if (watermarkMs < this.#earliestMs) return []
    const due: { key: string; atMs: number }[] = []
    const lastBucket = Math.floor(watermarkMs / BUCKET_MS)
    while (this.#head < this.#order.length && this.#order[this.#head]! <= lastBucket) {
      const bucket = this.#order[this.#head++]!
      const kept: { key: string; atMs: number }[] = []
      for (const page of this.#buckets.get(bucket)!) {
        page.keys.forEach((key, i) => {
          const timer = { key, atMs: page.atMs[i]! }
          ;(timer.atMs <= watermarkMs ? due : kept).push(timer)
        })
        this.#changed.delete(page)
        this.#gone.add(page.name)
      }
      this.#buckets.delete(bucket)
      for (const timer of kept) this.set(timer.key, timer.atMs)
      if (kept.length > 0) break
    }
    this.#earliestMs = this.#findEarliest()
    return due.sort((a, b) => a.atMs - b.atMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  }

  /** The keys of the timers that `takeDue(watermarkMs)` would return, so that their state can be loaded ahead. */
  keysUntil(watermarkMs: number): string[] {
    const keys: string[] = []
    if (watermarkMs < this.#earliestMs) return keys
    for (let place = this.#head; place < this.#order.length; place++) {
      const bucket = this.#order[place]!
      if (bucket * BUCKET_MS > watermarkMs) break
      for (const page of this.#buckets.get(bucket)!)
        keys.push(...page.keys.filter((_, i) => page.atMs[i]! <= watermarkMs))
    }
    return keys
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

  #findEarliest(): number {
    let earliest = Number.POSITIVE_INFINITY
    const first = this.#order[this.#head]
    if (first === undefined) return earliest
    for (const page of this.#buckets.get(first)!) for (const at of page.atMs) if (at < earliest) earliest = at
    return earliest
  }

  changedPages(): { puts: [page: string, value: Uint8Array][]; deletes: string[] } {
    const puts = [...this.#changed].map((page): [string, Uint8Array] => [page.name, encodePage(page)])
    const deletes = [...this.#gone]
    this.#changed.clear()
    this.#gone.clear()
    return { puts, deletes }
  }

  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void {
    for (const [name, value] of pages) {
      const [bucket, index] = name.split('.').map(Number) as [number, number]
      const page = decodePage(name, value)
      let list = this.#buckets.get(bucket)
      if (list === undefined) this.#buckets.set(bucket, (list = []))
      list[index] = page
      for (const at of page.atMs) if (at < this.#earliestMs) this.#earliestMs = at
    }
    for (const [bucket, list] of this.#buckets) this.#buckets.set(bucket, list.filter(Boolean))
    for (const bucket of this.#buckets.keys()) this.#order.push(bucket)
    this.#order.sort((a, b) => a - b)
  }
}

function encodePage(page: Page): Uint8Array {
  const writer = new ByteWriter(16 + page.keys.length * 32)
  writer.varint(page.keys.length)
  page.keys.forEach((key, i) => {
    writer.text(key)
    writer.float64(page.atMs[i]!)
  })
  return writer.take()
}

function decodePage(name: string, value: Uint8Array): Page {
  const reader = new ByteReader(value)
  const page: Page = { name, keys: [], atMs: [] }
  for (let left = reader.varint(); left > 0; left--) {
    page.keys.push(reader.text())
    page.atMs.push(reader.float64())
  }
  return page
}
