import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Verdict } from '../../test/verify/verify-fraud.ts'

const verifier = resolve(import.meta.dirname, '../../test/verify/main.ts')
/** It holds whole topics. */
const HEAP_MIB = 10_240

/** Runs the verifier in a process of its own: it shares no code with the engine, and no memory with the producer. */
export async function verify(brokers: readonly string[], redisPort: number): Promise<Verdict> {
  const args = ['--kafka', brokers.join(','), '--redis', `redis://127.0.0.1:${redisPort}`]
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MIB}`, verifier, ...args], {
    env: { ...process.env, KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (!said.startsWith('{')) throw new Error(`the verifier ended with ${code} and said nothing`)
  return JSON.parse(said) as Verdict
}
