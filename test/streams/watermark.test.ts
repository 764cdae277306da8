import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { channelOf, Watermarks } from '../../streams/watermark.ts'

const CHANNELS = [channelOf(0, 0), channelOf(0, 1), channelOf(1, 0)]
const announcement = fc.record({
  channel: fc.constantFrom(...CHANNELS, channelOf(2, 0), -1),
  watermarkMs: fc.oneof(fc.integer({ min: -1_000, max: 1_000 }), fc.constant(Number.NEGATIVE_INFINITY)),
})

/** The latest of every channel; the earliest of those. */
function expectedMs(announcements: readonly { channel: number; watermarkMs: number }[]): number {
  const latest = CHANNELS.map((channel) =>
    Math.max(...announcements.filter((a) => a.channel === channel).map((a) => a.watermarkMs)),
  )
  return Math.min(...latest)
}

test('a watermark is the minimum over what every upstream task announced, and never goes back', () => {
  fc.assert(
    fc.property(fc.array(announcement, { maxLength: 40 }), (announcements) => {
      const watermarks = new Watermarks(CHANNELS)
      announcements.forEach(({ channel, watermarkMs }, i) => {
        const before = watermarks.currentMs
        watermarks.advance(channel, watermarkMs)
        expect(watermarks.currentMs).toBeGreaterThanOrEqual(before)
        expect(watermarks.currentMs).toBe(expectedMs(announcements.slice(0, i + 1)))
      })
    }),
  )
})

test('a restored watermark goes on like the one it was taken from', () => {
  fc.assert(
    fc.property(fc.array(announcement), fc.array(announcement), (before, after) => {
      const whole = new Watermarks(CHANNELS)
      for (const { channel, watermarkMs } of before) whole.advance(channel, watermarkMs)
      const restored = new Watermarks(CHANNELS)
      restored.restore(JSON.parse(JSON.stringify(whole.snapshot())))
      expect(restored.currentMs).toBe(whole.currentMs)
      for (const { channel, watermarkMs } of after) {
        whole.advance(channel, watermarkMs)
        restored.advance(channel, watermarkMs)
        expect(restored.currentMs).toBe(whole.currentMs)
      }
    }),
  )
})

test('a stage without upstream tasks has no watermark', () => {
  const watermarks = new Watermarks([])
  watermarks.advance(0, 5)
  expect(watermarks.currentMs).toBe(Number.NEGATIVE_INFINITY)
})
