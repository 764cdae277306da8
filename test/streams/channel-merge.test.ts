import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Entry, FEEDBACK, PROGRESS } from '../../processors/step.ts'
import { ChannelMerge } from '../../streams/channel-merge.ts'

const NONE = Number.POSITIVE_INFINITY

function event(channel: number, eventTimeMs: number): Entry {
  return { kind: 'payment', key: 'k', eventTimeMs, watermarkMs: eventTimeMs, channel, body: {}, features: null }
}

function progress(channel: number, eventTimeMs: number): Entry {
  return { ...event(channel, eventTimeMs), kind: PROGRESS, key: '1', body: null }
}

const shown = (entries: readonly Entry[]): string[] => entries.map((e) => `${e.channel}@${e.eventTimeMs}`)

describe('ChannelMerge', () => {
  it('leaves the order of the topic alone where no task has a backlog', () => {
    const entries = [event(1, 30), event(0, 10), event(FEEDBACK, 5), event(1, 20)]
    expect(new ChannelMerge([0, 1, 2]).take(entries)).toBe(entries)
  })

  it('holds back what lies beyond the least progress, and gives it in the order of event time, each channel in its own', () => {
    const merge = new ChannelMerge([0, 1, 2])
    merge.take([progress(0, 0), progress(1, 0)])
    expect(shown(merge.take([event(0, 10), event(0, 30), progress(0, 30)]))).toEqual([])
    expect(shown(merge.take([event(1, 20), event(1, 10), progress(1, 25)]))).toEqual(['0@10', '1@20', '1@10'])
    expect(merge.progress.progressMs).toBe(25)
    expect(shown(merge.take([progress(1, NONE)]))).toEqual(['0@30'])
    expect(merge.progress.progressMs).toBe(30)
  })

  it('waits for every task of an upstream stage once one of them has told of a backlog', () => {
    const [first, second] = [65_536, 65_537]
    const merge = new ChannelMerge([first, second])
    expect(
      shown(merge.take([progress(first, Number.NEGATIVE_INFINITY), event(first, 20), progress(first, 20)])),
    ).toEqual([])
    expect(shown(merge.take([event(second, 30)]))).toEqual([])
    expect(shown(merge.take([progress(second, Number.NEGATIVE_INFINITY), event(second, 10)]))).toEqual([])
    expect(shown(merge.take([progress(second, 25)]))).toEqual(['65536@20'])
    expect(merge.progress).toEqual({ progressMs: 20, backlogs: 1 })
    expect(shown(merge.take([progress(first, NONE), progress(second, NONE)]))).toEqual(['65537@30', '65537@10'])
    expect(merge.progress).toEqual({ progressMs: NONE, backlogs: 1 })
  })

  it('lets feedback and what comes late through at once', () => {
    const merge = new ChannelMerge([0, 1, 2])
    merge.take([progress(0, 100), progress(1, 100)])
    expect(shown(merge.take([event(FEEDBACK, 500), event(1, 40), event(0, 200)]))).toEqual(['-1@500', '1@40'])
    expect(shown(merge.pending)).toEqual(['0@200'])
  })

  it('waits no longer than five seconds of the topic for a task that says nothing, and again once it is back', () => {
    const merge = new ChannelMerge([0, 1])
    merge.take([progress(0, 10), progress(1, 10)], 1_000)
    expect(shown(merge.take([event(0, 20), progress(0, 20)], 6_000))).toEqual([])
    expect(shown(merge.take([event(0, 30), progress(0, 30)], 6_001))).toEqual(['0@20', '0@30'])
    expect(shown(merge.take([progress(1, 15), event(1, 25), event(0, 40)], 20_000))).toEqual([])
    expect(shown(merge.take([progress(1, NONE), progress(0, NONE)], 20_500))).toEqual(['1@25', '0@40'])
  })

  it('goes on without a task of an upstream stage that never tells of the newest backlog', () => {
    const [first, second] = [65_536, 65_537]
    const merge = new ChannelMerge([first, second])
    expect(shown(merge.take([progress(first, 20), event(first, 20)], 1_000))).toEqual([])
    expect(shown(merge.take([event(first, 21), progress(first, 21)], 6_000))).toEqual([])
    expect(shown(merge.take([event(first, 22), progress(first, 22)], 7_000))).toEqual([
      '65536@20',
      '65536@21',
      '65536@22',
    ])
    expect(second).toBeGreaterThan(first)
  })

  const stretch = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 100 })), {
    maxLength: 60,
  })
  /** Tasks that each send their events in order and say now and then how far they are; all end without a backlog. */
  const topic = stretch.map((steps) => {
    const reachedMs = [0, 0, 0]
    const entries: Entry[] = [0, 1, 2].map((channel) => progress(channel, 0))
    for (const [channel, ms] of steps) {
      reachedMs[channel]! += ms
      entries.push(ms % 3 === 0 ? progress(channel, reachedMs[channel]!) : event(channel, reachedMs[channel]!))
    }
    return [...entries, ...[0, 1, 2].map((channel) => progress(channel, NONE))]
  })

  it('gives every event once, by event time, however the topic is cut and wherever a restart comes', () => {
    fc.assert(
      fc.property(topic, fc.array(fc.nat(60), { maxLength: 8 }), (entries, cuts) => {
        const whole = shown(new ChannelMerge([0, 1, 2]).take(entries, 0))
        let merge = new ChannelMerge([0, 1, 2])
        const parts: string[] = []
        const ends = [...cuts, entries.length].sort((a, b) => a - b)
        ends.forEach((end, i) => {
          parts.push(...shown(merge.take(entries.slice(ends[i - 1] ?? 0, end), i)))
          const again = new ChannelMerge([0, 1, 2])
          again.restore(merge.snapshot(), merge.pending)
          merge = again
        })
        expect(parts).toEqual(whole)
        const events = entries.filter(({ kind }) => kind !== PROGRESS)
        const ordered = [...events].sort((a, b) => a.eventTimeMs - b.eventTimeMs || a.channel - b.channel)
        // Of one moment, who comes first may depend on what had been announced by then.
        expect(whole.map((text) => text.split('@')[1])).toEqual(ordered.map(({ eventTimeMs }) => `${eventTimeMs}`))
        expect([...whole].sort()).toEqual(shown(events).sort())
        expect(merge.pending).toEqual([])
      }),
    )
  })
})
