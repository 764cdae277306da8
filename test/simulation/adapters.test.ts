import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { describeEventLog } from '../event-log/contract.ts'
import { describeStateStore } from '../state/contract.ts'
import { createFaultyLog } from './faulty-log.ts'
import { createFaultyStore, SharedStore } from './faulty-store.ts'
import { Journal } from './journal.ts'

/** With their faults off, the simulation's adapters are adapters like any other. */
const point = () => Promise.resolve('go on' as const)

describeEventLog('simulated', 'one handle', async () => {
  const shared = { inner: createMemoryLog(), journal: new Journal(), fencing: 'on', newest: new Map() } as const
  const log = createFaultyLog(shared, {
    point,
    together: 'grouped',
    clockMs: () => 0,
    exclusive: () => undefined,
    beforeCommit: () => Promise.resolve(),
  })
  return { log, cleaning: 'when called', lazySizes: 'unknown', close: async () => log.close() }
})

describeStateStore('simulated', async () => {
  const store = createFaultyStore(new SharedStore('on', (_task, { positions }) => positions), point)
  return { store, another: async () => store, close: async () => store.close() }
})
