import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { openRedisStateStore } from '../../streams/state/redis.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import { describeStateStore } from '../state/contract.ts'

const address = process.env['RHEO_TEST_REDIS'] ?? '127.0.0.1:16379'

describeStateStore('redis', async () => {
  const prefix = `rheo-test-${randomUUID()}`
  const handles: StateStore[] = []
  const another = async () => {
    const store = await openRedisStateStore({ addresses: [address], prefix })
    handles.push(store)
    return store
  }
  return {
    store: await another(),
    another,
    async close() {
      for (const store of handles) await store.close()
      await removeKeys(`${prefix}:*`)
    },
  }
})

async function removeKeys(pattern: string): Promise<void> {
  const [host, port] = address.split(':')
  const redis = new Redis({ host: host!, port: Number(port) })
  for await (const keys of redis.scanStream({ match: pattern, count: 1_000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) await redis.unlink(...keys)
  }
  redis.disconnect()
}
