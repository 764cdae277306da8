import { createMemoryStateStore } from '../../streams/state/memory.ts'
import { describeStateStore } from './contract.ts'

describeStateStore('memory', async () => {
  const store = createMemoryStateStore()
  return { store, another: async () => store, close: async () => store.close() }
})
