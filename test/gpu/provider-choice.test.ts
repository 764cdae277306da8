import { describe, expect, it } from 'vitest'
import { measuredText } from '../../cli/model-argument.ts'
import { reasonAndNext } from '../../cli/reason-and-next.ts'
import type { Provider } from '../../gpu/onnx-runtime.ts'
import { firstLine } from '../../gpu/onnx-runtime.ts'
import { chooseProvider, createChosenProviders, type OpenedOn } from '../../gpu/provider-choice.ts'
import { RheoError } from '../../schemas/errors.ts'

describe('the choice of a provider', () => {
  const measured = (times: Readonly<Record<string, number>>) => async (provider: string) => {
    const time = times[provider]
    if (time === undefined) throw new RheoError('PROVIDER_UNAVAILABLE', `no ${provider}`)
    return time
  }

  it('takes the fastest on auto, and says what was missing', async () => {
    const choice = await chooseProvider('auto', measured({ cpu: 20, webgpu: 5 }))
    expect(choice).toMatchObject({ provider: 'webgpu', degraded: null })
    expect(choice.findings.find((finding) => finding.provider === 'cuda')).toMatchObject({ kind: 'unavailable' })
  })

  it('keeps a provider asked for by name, even when slower', async () => {
    expect(await chooseProvider('webgpu', measured({ cpu: 1, webgpu: 50 }))).toMatchObject({
      provider: 'webgpu',
      degraded: null,
    })
  })

  it('falls back on the CPU and says why', async () => {
    expect(await chooseProvider('cuda', measured({ cpu: 1 }))).toMatchObject({
      provider: 'cpu',
      degraded: { code: 'PROVIDER_UNAVAILABLE' },
    })
  })

  it('is an error when not even the CPU works', async () => {
    await expect(chooseProvider('auto', measured({ webgpu: 1 }))).rejects.toMatchObject({ message: 'no cpu' })
  })
})

describe('the choice for a further version', () => {
  const SHAPE = { name: 'dense', inputs: 123, outputs: [1], bytes: 263_000 }

  /** A machine with these providers, µs per batch, which may change; and what was done on it. */
  function machine(times: Partial<Record<Provider, number>>) {
    const done: string[] = []
    const timeOf = (provider: Provider): number => {
      const time = times[provider]
      if (time === undefined) throw new RheoError('PROVIDER_UNAVAILABLE', `no ${provider}`)
      return time
    }
    const trial = {
      async measure(provider: Provider) {
        const time = timeOf(provider)
        done.push(`measured ${provider}`)
        return time
      },
      async open(provider: Provider) {
        timeOf(provider)
        done.push(`opened ${provider}`)
        return provider
      },
    }
    return { times, done, trial }
  }

  it('is that of the version before, which is measured once', async () => {
    const { done, trial } = machine({ cpu: 20, webgpu: 5 })
    const chosen = createChosenProviders()
    for (const bytes of [263_000, 263_100, 262_000]) {
      expect(await chosen.open('auto', { ...SHAPE, bytes }, trial)).toEqual({ opened: 'webgpu', degraded: null })
    }
    expect(done).toEqual(['measured cpu', 'measured webgpu', 'opened webgpu', 'opened webgpu', 'opened webgpu'])
  })

  it('is told, with what was measured for it', async () => {
    const { trial } = machine({ cpu: 20, webgpu: 5 })
    const chosen = createChosenProviders()
    const told: OpenedOn[] = []
    const onChoice = (choice: OpenedOn) => told.push(choice)
    for (const bytes of [263_000, 263_100]) await chosen.open('auto', { ...SHAPE, bytes }, { ...trial, onChoice })
    expect(told).toMatchObject([
      { provider: 'webgpu', findings: [{ usPerBatch: 20 }, { kind: 'unavailable' }, { usPerBatch: 5 }] },
      { provider: 'webgpu', findings: [] },
    ])
    expect(told.map(measuredText)).toEqual([
      '256 rows: cpu 20 µs, cuda cannot be used, webgpu 5 µs',
      'as the version before',
    ])
  })

  it.each([
    ['of another name', { name: 'trees' }],
    ['of more features', { inputs: 124 }],
    ['of other outputs', { outputs: [1, 1] }],
    ['much larger', { bytes: 400_000 }],
    ['much smaller', { bytes: 100_000 }],
  ])('is made anew where it is %s', async (_what, other) => {
    const { times, trial } = machine({ cpu: 20, webgpu: 5 })
    const chosen = createChosenProviders()
    await chosen.open('auto', SHAPE, trial)
    times.webgpu = 50
    expect(await chosen.open('auto', { ...SHAPE, ...other }, trial)).toEqual({ opened: 'cpu', degraded: null })
  })

  it('is made anew, and says so, where the provider fails; the one after that takes what was chosen then', async () => {
    const { times, done, trial } = machine({ cpu: 20, webgpu: 5 })
    const chosen = createChosenProviders()
    await chosen.open('auto', SHAPE, trial)
    delete times.webgpu
    const failed = await chosen.open('auto', SHAPE, trial)
    expect(failed).toMatchObject({ opened: 'cpu', degraded: { code: 'PROVIDER_UNAVAILABLE', message: 'no webgpu' } })
    expect(await chosen.open('auto', SHAPE, trial)).toEqual({ opened: 'cpu', degraded: null })
    expect(done.slice(-3)).toEqual(['measured cpu', 'opened cpu', 'opened cpu'])
  })

  it('is tried again where the provider asked for was replaced', async () => {
    const { times, trial } = machine({ cpu: 20 })
    const chosen = createChosenProviders()
    const { degraded } = await chosen.open('cuda', SHAPE, trial)
    expect(degraded).toMatchObject({ message: 'no cuda' })
    times.cuda = 5
    expect(await chosen.open('cuda', SHAPE, trial)).toEqual({ opened: 'cuda', degraded: null })
  })
})

describe('why a provider is not used, for people', () => {
  it('leaves the runtime’s source out, and ends with the next step', () => {
    const place = '/src/webgpu_context.cc:136 onnxruntime::Initialize()::<lambda()> status == Success was false. '
    const message = firstLine(`${place}No adapters\nat a stack`)
    expect(message).toBe('No adapters')
    const error = new RheoError('PROVIDER_UNAVAILABLE', message, { hint: 'Install a driver.' })
    expect(reasonAndNext(error)).toBe('No adapters. Install a driver.')
  })
})
