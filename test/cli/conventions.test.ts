import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tryProvider } from '../../gpu/try-provider.ts'
import { inFolder, rheo } from './rheo.ts'

describe('the command line', () => {
  it('explains itself: every command, examples, exit codes, on stdout', () =>
    inFolder(async (directory) => {
      const { code, stdout, stderr } = await rheo(directory, ['--help'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      for (const name of [
        'replay',
        'produce',
        'subscribe',
        'dlq',
        'state',
        'explain',
        'topology',
        'config',
        'doctor',
      ]) {
        expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
      }
      expect(stdout).toContain('Examples:')
      expect(stdout).toContain('Exit codes:')
    }))

  it('explains each command with an example', () =>
    inFolder(async (directory) => {
      for (const name of ['replay', 'dev', 'export', 'produce', 'subscribe', 'explain']) {
        const { code, stdout } = await rheo(directory, [name, '--help'])
        expect(code).toBe(0)
        expect(stdout).toContain(`rheo ${name} `)
        expect(stdout).not.toMatch(/default: (\[\]|15000|86400000)/)
      }
    }))

  it('explains a subcommand by help, too', () =>
    inFolder(async (directory) => {
      const { code, stdout } = await rheo(directory, ['help', 'dlq', 'ls'])
      expect(code).toBe(0)
      expect(stdout).toContain('Usage: rheo dlq ls')
    }))

  it.each([
    ['an unknown command', ['replya']],
    ['an unknown option', ['replay', '--nope']],
    ['a missing argument', ['subscribe']],
    ['a number that is none', ['replay', '--seed', 'x']],
    ['an unknown scenario', ['topology', 'shopping']],
    ['a map without its input', ['replay', 'fraud', '--map', 'm.json']],
    ['a topic that nobody knows', ['produce', 'nothing']],
    ['a topic that only Rheo writes', ['produce', 'scores']],
  ])('ends with 2 on %s and says what to do next', (_what, args) =>
    inFolder(async (directory) => {
      const { code, stdout, stderr } = await rheo(directory, args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/^rheo: /)
      expect(stderr).toContain('next:')
    }),
  )

  it('ends with 3 on an input that is not there and with 4 on a log that is not there', () =>
    inFolder(async (directory) => {
      const missingInput = await rheo(directory, ['produce', 'payments', '--file', 'missing.ndjson'])
      expect(missingInput.code).toBe(3)
      expect(missingInput.stderr).toContain('INPUT_UNREADABLE')
      const missingLog = await rheo(directory, ['subscribe', 'scores', '--state', 'nowhere'])
      expect(missingLog.code).toBe(4)
      expect(missingLog.stderr).toContain('next:')
    }))

  it('colours nothing where no terminal is, nor with NO_COLOR', () =>
    inFolder(async (directory) => {
      const { stdout } = await rheo(directory, ['config', 'print'], { env: { NO_COLOR: '1' } })
      expect(stdout).not.toContain('\u001b')
    }))
})

describe('config print', () => {
  it('prefers the environment to the file and the file to defaults, and says so', () =>
    inFolder(async (directory) => {
      writeFileSync(join(directory, 'rheo.config.json'), '{"slice": "15m", "batchRecords": 7}')
      const { stdout } = await rheo(directory, ['config', 'print', '--json'], { env: { RHEO_BATCH_RECORDS: '8' } })
      const settings = JSON.parse(stdout)
      expect(settings.slice.value).toBe(900_000)
      expect(settings.slice.from).toContain('rheo.config.json')
      expect(settings.batchRecords).toEqual({ value: 8, from: 'RHEO_BATCH_RECORDS' })
      expect(settings.scenario).toEqual({ value: 'fraud', from: 'default' })
    }))

  it.each(['{"slcie": "15m"}', '{"slice": "15 parsecs"}', '[1]', '{'])('refuses the file %s', (text) =>
    inFolder(async (directory) => {
      writeFileSync(join(directory, 'rheo.config.json'), text)
      const { code, stderr } = await rheo(directory, ['config', 'print'])
      expect(code).toBe(2)
      expect(stderr).toContain('CONFIG_INVALID')
    }),
  )
})

describe('topology', () => {
  it('draws the flow as text, Mermaid and data', () =>
    inFolder(async (directory) => {
      const text = await rheo(directory, ['topology', 'fraud'])
      expect(text.stdout).toContain('rheo.fraud.payments.v1')
      expect(text.stdout).toMatch(/models +rheo\.fraud\.models\.v1[\s\S]*infer .*→ score/)
      const mermaid = await rheo(directory, ['topology', 'fraud', '--format', 'mermaid'])
      expect(mermaid.stdout).toMatch(/^flowchart LR\n/)
      const data = JSON.parse((await rheo(directory, ['topology', 'fraud', '--json'])).stdout)
      for (const { next } of data.stages) for (const to of next) expect(mermaid.stdout).toContain(`--> stage_${to}`)
    }))
})

describe('doctor', () => {
  it('passes where no log is yet, finds a damaged one and ends with 1', () =>
    inFolder(async (directory) => {
      expect((await rheo(directory, ['doctor', '--state', '.'])).code).toBe(0)
      writeFileSync(join(directory, 'log.sqlite'), 'this is no database, whatever its name says')
      const { code, stdout } = await rheo(directory, ['doctor', '--state', '.', '--json'])
      expect(code).toBe(1)
      const { findings } = JSON.parse(stdout)
      const failed = findings.filter((finding: { result: string }) => finding.result === 'failed')
      expect(failed.map((finding: { check: string }) => finding.check)).toEqual(['event log'])
    }))

  it('tries the provider that the settings ask for, and says what it lacks', () =>
    inFolder(async (directory) => {
      const isThere = await tryProvider('cuda').then(
        () => true,
        () => false,
      )
      const env = { RHEO_PROVIDER: 'cuda' }
      const { code, stdout } = await rheo(directory, ['doctor', '--json'], { env })
      expect(code).toBe(isThere ? 0 : 1)
      const { findings } = JSON.parse(stdout)
      const finding = findings.find(({ check }: { check: string }) => check === 'provider')
      if (isThere) expect(finding).toMatchObject({ result: 'ok', found: 'cuda runs models' })
      else expect(finding).toMatchObject({ result: 'failed', cure: expect.stringContaining('docs/gpu.md') })
    }))
})
