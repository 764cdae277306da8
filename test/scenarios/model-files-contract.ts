import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { createRandom } from '../../processors/random.ts'
import { createFileReader, fileAppends, modelFilesTopic } from '../../scenarios/model-files.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'

const SCENARIO = 'files'

interface Opened {
  readonly log: EventLog
  readonly close: () => Promise<void>
}

function fileOf(length: number, seed: number): { readonly bytes: Uint8Array; readonly sha256: string } {
  const random = createRandom(seed, 0)
  const bytes = Uint8Array.from({ length }, () => random.below(256))
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

async function withLog(open: () => Promise<Opened>, work: (log: EventLog) => Promise<void>): Promise<void> {
  const { log, close } = await open()
  try {
    await log.ensureTopics([modelFilesTopic(SCENARIO)])
    await work(log)
  } finally {
    await close()
  }
}

/** What the files of models promise on any event log. */
export function modelFilesContract(open: () => Promise<Opened>): void {
  it('gives each file back, those of many chunks and those far behind the newest, whoever asks at the same time', () =>
    withLog(open, async (log) => {
      const large = fileOf(2_500_000, 1)
      const others = Array.from({ length: 150 }, (_, i) => fileOf(1_000 + i, 2 + i))
      await log.append([fileAppends(SCENARIO, large.sha256, large.bytes, 1)])
      await log.append(others.map(({ bytes, sha256 }) => fileAppends(SCENARIO, sha256, bytes, 2)))
      const read = createFileReader(log, SCENARIO)
      const [first, last, whole] = await Promise.all([others[0]!, others.at(-1)!, large].map((one) => read(one.sha256)))
      expect(Buffer.compare(first!, others[0]!.bytes)).toBe(0)
      expect(Buffer.compare(last!, others.at(-1)!.bytes)).toBe(0)
      expect(Buffer.compare(whole!, large.bytes)).toBe(0)
    }))

  it('takes a file that was added again as one, also where another broke off in the middle', () =>
    withLog(open, async (log) => {
      const file = fileOf(1_200_000, 1)
      const appends = fileAppends(SCENARIO, file.sha256, file.bytes, 1)
      await log.append([{ ...appends, records: appends.records.slice(0, 2) }])
      const read = createFileReader(log, SCENARIO)
      await expect(read(file.sha256)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
      await log.append([appends])
      await log.append([appends])
      expect(Buffer.compare(await read(file.sha256), file.bytes)).toBe(0)
    }))

  it('refuses bytes that are not those of the name, and names a file that is not there', () =>
    withLog(open, async (log) => {
      const { sha256 } = fileOf(10, 1)
      await log.append([fileAppends(SCENARIO, sha256, fileOf(10, 2).bytes, 1)])
      const read = createFileReader(log, SCENARIO)
      await expect(read(sha256)).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringContaining('changed'),
      })
      await expect(read('ab'.repeat(32))).rejects.toMatchObject({ message: expect.stringContaining('not in the log') })
    }))
}
