import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { describeEventLog } from './contract.ts'

describeEventLog('memory', 'one handle', async () => {
  const log = createMemoryLog()
  return { log, cleaning: 'when called', lazySizes: 'unknown', close: async () => log.close() }
})
