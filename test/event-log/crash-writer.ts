import { writeSync } from 'node:fs'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'

/**
 * Child process of sqlite-crash.test.ts: commits number after number until it is killed. Commit n appends `n` three
 * times to both partitions and moves the position to n + 1; every other round five of them share one `together`.
 * Writes the last acknowledged n to stdout, one a line.
 */
const log = openSqliteLog(process.argv[2]!)
const topic = 'events'
const writer = await log.acquire('g', 'task')
let n = Number((await writer.committed(topic, 0)) ?? 0n)

const commitNext = () => {
  const records = Array.from({ length: 3 }, () => ({ key: null, value: Buffer.from(`${n}`), timestampMs: n }))
  const done = writer.commit({
    appends: [0, 1].map((partition) => ({ topic, partition, records })),
    positions: [{ topic, partition: 0, next: BigInt(n + 1) }],
  })
  n += 1
  return done
}

for (;;) {
  await commitNext()
  writeSync(1, `${n - 1}\n`)
  await log.together(() => {
    for (let i = 0; i < 5; i++) commitNext()
  })
  writeSync(1, `${n - 1}\n`)
}
