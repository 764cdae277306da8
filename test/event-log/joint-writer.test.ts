import { expect, test } from 'vitest'
import type { TaskWriter, Transaction } from '../../streams/event-log/event-log.ts'
import { JointWriter } from '../../streams/event-log/joint-writer.ts'

const at = (topic: string, next: bigint): Transaction => ({
  appends: [{ topic, partition: 0, records: [] }],
  positions: [{ topic, partition: 0, next }],
})

function recorder(): { readonly writer: TaskWriter; readonly commits: Transaction[] } {
  const commits: Transaction[] = []
  const writer: TaskWriter = { commit: (transaction) => void commits.push(transaction), committed: () => undefined }
  return { writer, commits }
}

test('what is held back goes with the next commit, once', async () => {
  const { writer, commits } = recorder()
  const joint = new JointWriter(writer)
  joint.hold(at('payments', 3n))
  expect(() => joint.hold(at('payments', 4n))).toThrow('was not committed')
  expect(commits).toEqual([])
  await joint.commit(at('state', 1n))
  expect(commits.map(({ positions }) => positions.map(({ topic }) => topic))).toEqual([['payments', 'state']])
  await joint.release()
  expect(commits).toHaveLength(1)
})

test('what no commit has taken along is committed by itself', async () => {
  const { writer, commits } = recorder()
  const joint = new JointWriter(writer)
  joint.hold(at('payments', 3n))
  await joint.release()
  await joint.release()
  expect(commits).toEqual([at('payments', 3n)])
})

test('a commit that fails takes what was held back with it', async () => {
  const joint = new JointWriter({
    commit: () => Promise.reject(new Error('fenced')),
    committed: () => undefined,
  })
  joint.hold(at('payments', 3n))
  await expect(joint.commit(at('state', 1n))).rejects.toThrow('fenced')
  await joint.release()
})
