import { Redis } from 'ioredis'
import type { FeatureReader } from './log-reader.ts'

/** Reads the feature hashes that a store in Redis shows to others; their keys are in `docs/state-in-redis.md`. */
export function openRedisReader(url: string, scenario: string, prefix = 'rheo'): FeatureReader {
  const redis = new Redis(url)
  return {
    async features(keyField, partition, key) {
      const found = await redis.hgetall(`${prefix}:{${scenario}-${partition}}:features:${keyField}:${key}`)
      const entries = Object.entries(found)
      return entries.length === 0 ? null : new Map(entries.map(([name, text]) => [name, Number(text)]))
    },
    async close() {
      await redis.quit()
    },
  }
}
