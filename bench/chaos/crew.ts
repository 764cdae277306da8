import { Worker } from '../servers/worker.ts'

/** The workers of a chaos run: so many places, in each of them one worker after the other; and guests, who come and go. */
export class Crew {
  readonly #make: (name: string) => Worker
  readonly #places: Worker[] = []
  readonly #guests: Worker[] = []
  /** Workers that are no more. */
  readonly #gone: Worker[] = []
  /** Places whose worker is being killed: that it ends is meant. */
  readonly #killed = new Set<number>()
  #isClosing = false
  #started = 0
  /** Workers that ended without being told, and were started again: name, exit code and last words. */
  readonly quits: { readonly worker: string; readonly code: number | null; readonly lastLines: readonly string[] }[] =
    []

  constructor(directory: string, environment: Readonly<Record<string, string>>, program: readonly string[] | null) {
    this.#make = (name) => new Worker(name, directory, environment, program ?? undefined)
  }

  start(place: number): Worker {
    const worker = this.#make(`worker-${++this.#started}`)
    const former = this.#places[place]
    if (former !== undefined) this.#gone.push(former)
    this.#places[place] = worker
    this.#killed.delete(place)
    void worker.ended.then((code) => {
      if (this.#isClosing || this.#killed.has(place)) return
      this.quits.push({ worker: worker.name, code, lastLines: worker.lastLines.slice(-8) })
      this.start(place)
    })
    return worker
  }

  startGuest(): Worker {
    const worker = this.#make(`guest-${++this.#started}`)
    this.#guests.push(worker)
    return worker
  }

  at(place: number): Worker {
    return this.#places[place]!
  }

  /** A place whose worker is neither stopped nor dead; null: none. `which`: 0 to 1. */
  pick(which: number): number | null {
    const able = [...this.#places.keys()].filter((i) => !this.at(i).isStopped && !this.at(i).hasEnded)
    return able[Math.floor(which * able.length)] ?? null
  }

  async kill(place: number): Promise<void> {
    this.#killed.add(place)
    await this.at(place).kill()
  }

  get all(): readonly Worker[] {
    return [...this.#gone, ...this.#places, ...this.#guests]
  }

  /** SIGTERM to all; the exit codes. Who is not gone in time is killed (null). */
  async stop(withinMs: number): Promise<readonly (number | null)[]> {
    this.#isClosing = true
    const living = this.all.filter(({ hasEnded }) => !hasEnded)
    for (const worker of living) worker.signal('SIGTERM')
    const timer = setTimeout(() => {
      for (const worker of living) if (!worker.hasEnded) worker.signal('SIGKILL')
    }, withinMs)
    const codes = await Promise.all(living.map(({ ended }) => ended))
    clearTimeout(timer)
    return codes
  }

  async killAll(): Promise<void> {
    this.#isClosing = true
    await Promise.all(this.all.filter(({ hasEnded }) => !hasEnded).map((worker) => worker.kill()))
  }
}
