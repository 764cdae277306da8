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

/** What a model was opened on. No findings: it was taken over from the version before, without measuring. */
export type OpenedOn = Pick<ProviderChoice, 'provider' | 'findings'>

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

/** By what two versions of a model are taken to run equally fast on each provider. */
export interface ModelShape {
  readonly name: string
  /** Numbers of a row, */
  readonly inputs: number
  /** and of what is said about it, per output. */
  readonly outputs: readonly number[]
  /** Of the file. Half as large again is another shape. */
  readonly bytes: number
}

/** How a model is opened on a provider, and what it is measured by. */
export interface ProviderTrial<T> {
  readonly measure: MeasureProvider
  /** Throws RheoError where the provider cannot run it. */
  readonly open: (provider: Provider) => Promise<T>
  /** Hears, once it is open, on what. */
  readonly onChoice?: (choice: OpenedOn) => void
}

/** Opens models on the provider that suits each, and remembers which that was. */
export interface ChosenProviders {
  /**
   * Where a model of this shape was measured before, opens on the provider chosen then, without measuring. Where that one
   * fails now, chooses anew, and `degraded` says why. What fell back is not remembered: the provider asked for is tried again.
   */
  open<T>(
    wanted: Provider | 'auto',
    shape: ModelShape,
    trial: ProviderTrial<T>,
  ): Promise<{ readonly opened: T; readonly degraded: RheoError | null }>
}

const LARGER = 1.5

export function createChosenProviders(): ChosenProviders {
  const chosen = new Map<string, { readonly bytes: number; readonly provider: Provider }>()
  return {
    async open(wanted, { bytes, ...shape }, { measure, open, onChoice }) {
      const key = JSON.stringify([wanted, shape])
      const known = chosen.get(key)
      let failure: RheoError | null = null
      if (known !== undefined && Math.max(bytes, known.bytes) < LARGER * Math.min(bytes, known.bytes)) {
        try {
          const opened = await open(known.provider)
          onChoice?.({ provider: known.provider, findings: [] })
          return { opened, degraded: null }
        } catch (error) {
          if (!(error instanceof RheoError)) throw error
          failure = error
        }
      }
      chosen.delete(key)
      const { provider, findings, degraded } = await chooseProvider(wanted, measure)
      const opened = await open(provider)
      onChoice?.({ provider, findings })
      if (degraded === null) chosen.set(key, { bytes, provider })
      return { opened, degraded: degraded ?? (provider === known?.provider ? null : failure) }
    },
  }
}
