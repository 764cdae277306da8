import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

const program = `
  import { openSession } from './gpu/onnx-runtime.ts'
  import { mlpBytes } from './test/gpu/models.ts'
  for (const [bytes, provider] of [[mlpBytes(), 'cuda'], [Uint8Array.of(8, 1), 'cpu']])
    console.log(await openSession(bytes, { provider }).then(() => 'opened', (error) => error.code))`

it('a provider or a model that cannot be loaded is an error of ours, and no line of the runtime’s on stderr', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(stderr).not.toContain('onnxruntime')
  expect(stdout).toMatch(/^(PROVIDER_UNAVAILABLE|opened)\nMODEL_INVALID\n$/)
})
