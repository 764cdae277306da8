import { beforeAll } from 'vitest'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { describeEventLog } from '../event-log/contract.ts'
import { CLIENTS, needBroker, openTestLog, prefixed, uniqueName } from './kafka-broker.ts'

beforeAll(() => needBroker())

for (const client of CLIENTS) {
  describeEventLog(`kafka, by ${client}`, 'several handles', async () => {
    const prefix = uniqueName()
    const handles: EventLog[] = []
    const another = async () => {
      const log = prefixed(openTestLog({}, client), prefix)
      handles.push(log)
      return log
    }
    return {
      log: await another(),
      another,
      cleaning: 'by the servers',
      lazySizes: 'counted',
      together: 'per task',
      async close() {
        for (const log of handles) await log.close()
      },
    }
  })
}
