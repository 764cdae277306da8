/**
 * Holds the scores of a log against its payments, without Rheo's code:
 *
 *     node test/verify/main.ts --sqlite DIR/log.sqlite
 *     node test/verify/main.ts --kafka HOST:PORT[,HOST:PORT] [--redis redis://HOST:PORT]
 *
 * Prints one JSON document; ends with 1 when anything is wrong.
 */
import { parseArgs } from 'node:util'
import { openKafkaReader } from './kafka-reader.ts'
import { openRedisReader } from './redis-reader.ts'
import { openSqliteReader } from './sqlite-reader.ts'
import { isClean, verifyFraud } from './verify-fraud.ts'

const { values } = parseArgs({
  options: { sqlite: { type: 'string' }, kafka: { type: 'string' }, redis: { type: 'string' } },
})
if ((values.sqlite === undefined) === (values.kafka === undefined)) throw new Error('give one of --sqlite and --kafka')
const log = values.sqlite === undefined ? openKafkaReader(values.kafka!.split(',')) : openSqliteReader(values.sqlite)
const state = values.redis === undefined ? null : openRedisReader(values.redis, 'fraud')
try {
  const verdict = await verifyFraud(log, state)
  process.stdout.write(`${JSON.stringify(verdict, null, 2)}\n`)
  process.exitCode = isClean(verdict) ? 0 : 1
} finally {
  await log.close()
  await state?.close()
}
