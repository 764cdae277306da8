import { RheoError } from '../schemas/errors.ts'
import type { Provider } from './onnx-runtime.ts'

/** What became of one provider at start: shown by `rheo doctor` and `/readyz`. */
export type ProviderFinding =
  | { readonly provider: Provider; readonly kind: 'measured'; readonly usPerBatch: number }
  | { readonly provider: Provider; readonly kind: 'unavailable'; readonly error: RheoError }

export interface ProviderChoice {
  readonly provider: Provider
  readonly findings: readonly ProviderFinding[]
  /** Why this is not the provider that was asked for; null: it is. Travels as `degraded` with every score. */
  readonly degraded: RheoError | null
}

/** Time of one run at the batch size that matters, median of several, in µs; throws RheoError where the provider cannot run. */
export type MeasureProvider = (provider: Provider) => Promise<number>

const ALL: readonly Provider[] = ['cpu', 'cuda', 'webgpu']

/**
 * `auto` measures every provider and takes the fastest. A provider asked for by name that is not usable falls back to
 * the CPU, loudly: `degraded` says why. The CPU itself not working is an error, for then nothing can serve.
 */
export async function chooseProvider(wanted: Provider | 'auto', measure: MeasureProvider): Promise<ProviderChoice> {
  const candidates: readonly Provider[] = wanted === 'auto' ? ALL : wanted === 'cpu' ? ['cpu'] : [wanted, 'cpu']
  const findings: ProviderFinding[] = []
  for (const provider of candidates) findings.push(await find(provider, measure))
  const measured = findings.filter((finding) => finding.kind === 'measured')
  const asked = findings.find((finding) => finding.provider === wanted)
  if (asked?.kind === 'measured') return { provider: asked.provider, findings, degraded: null }
  const cpu = findings.find((finding) => finding.provider === 'cpu')
  if (cpu?.kind === 'unavailable') throw cpu.error
  const fastest = measured.reduce((best, finding) => (finding.usPerBatch < best.usPerBatch ? finding : best))
  return { provider: fastest.provider, findings, degraded: asked?.kind === 'unavailable' ? asked.error : null }
}

async function find(provider: Provider, measure: MeasureProvider): Promise<ProviderFinding> {
  try {
    return { provider, kind: 'measured', usPerBatch: await measure(provider) }
  } catch (error) {
    if (error instanceof RheoError) return { provider, kind: 'unavailable', error }
    throw error
  }
}
