import { float32, openSession, type Provider, runOnce } from './onnx-runtime.ts'
import { encodeOnnx } from './train/onnx-encoder.ts'

/**
 * Runs the smallest of models on a provider, to see whether it can be used at all. Returns the µs that the run took; throws
 * PROVIDER_UNAVAILABLE where this machine has no such provider.
 */
export async function tryProvider(provider: Provider): Promise<number> {
  const port = (name: string) => ({ name, type: 'float32', shape: ['batch', 1] }) as const
  const nodes = [{ op: 'Sigmoid', inputs: ['x'], outputs: ['p'] }]
  const model = { name: 'trial', inputs: [port('x')], outputs: [port('p')], initializers: [], nodes }
  const session = await openSession(encodeOnnx(model), { provider })
  try {
    const startMs = performance.now()
    await runOnce(session, { x: float32([1, 1], [0]) })
    return (performance.now() - startMs) * 1_000
  } finally {
    await session.release()
  }
}
