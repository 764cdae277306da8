import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kafkaConnectionOf, redisOptionsOf } from '../../cli/server-options.ts'
import { settingNames, settingNotes } from '../../cli/setting-list.ts'
import { readSettings } from '../../cli/settings.ts'
import { RheoError } from '../../schemas/errors.ts'
import { inFolder, rheo } from './rheo.ts'

let directory: string
let before: NodeJS.ProcessEnv
beforeEach(() => {
  before = { ...process.env }
  for (const name of Object.keys(process.env)) if (name.startsWith('RHEO_')) delete process.env[name]
  directory = mkdtempSync(join(tmpdir(), 'rheo-settings-'))
  process.env['RHEO_CONFIG'] = file('rheo.config.json', '{}')
})
afterEach(() => {
  process.env = before
  rmSync(directory, { recursive: true, force: true })
})

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

function refusal(work: () => unknown): RheoError {
  try {
    work()
  } catch (error) {
    if (error instanceof RheoError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('settings', () => {
  it('are all described', () => {
    expect(Object.keys(settingNotes).sort()).toEqual([...settingNames].sort())
  })

  it('take a secret from the file that the environment names, without its line end', () => {
    process.env['RHEO_KAFKA_PASSWORD_FILE'] = file('password', 'open sesame\n')
    const { settings, origins } = readSettings()
    expect(settings.kafkaPassword).toBe('open sesame')
    const [origin] = origins.filter(({ name }) => name === 'kafkaPassword')
    expect(origin).toEqual({ name: 'kafkaPassword', value: '(hidden)', from: 'RHEO_KAFKA_PASSWORD_FILE' })
  })

  it('prefer the flag that names a secret file to the environment, and the environment to the configuration', () => {
    process.env['RHEO_CONFIG'] = file('rheo.config.json', '{"redisPassword": "from the file"}')
    expect(readSettings().settings.redisPassword).toBe('from the file')
    process.env['RHEO_REDIS_PASSWORD'] = 'from the environment'
    expect(readSettings().settings.redisPassword).toBe('from the environment')
    const redisPasswordFile = file('secret', 'from the flag')
    expect(readSettings({ redisPasswordFile }).settings.redisPassword).toBe('from the flag')
  })

  it('refuse a secret that is given twice in one place, or whose file is not there, and say where', () => {
    process.env['RHEO_KAFKA_PASSWORD'] = 'a'
    process.env['RHEO_KAFKA_PASSWORD_FILE'] = join(directory, 'missing')
    expect(refusal(readSettings).message).toContain('RHEO_KAFKA_PASSWORD and by RHEO_KAFKA_PASSWORD_FILE')
    delete process.env['RHEO_KAFKA_PASSWORD']
    expect(refusal(readSettings)).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(refusal(readSettings).message).toContain('RHEO_KAFKA_PASSWORD_FILE')
  })

  it('name the setting and its origin when a value is wrong', () => {
    process.env['RHEO_KAFKA'] = 'localhost'
    expect(refusal(readSettings).message).toMatch(/kafka \(from RHEO_KAFKA\).*host:port/)
    delete process.env['RHEO_KAFKA']
    expect(refusal(() => readSettings({ httpPort: '99999' })).message).toContain('httpPort (from flag)')
    process.env['RHEO_CONFIG'] = file('rheo.config.json', '{"partitions": 0}')
    expect(refusal(readSettings).message).toContain(`partitions (from ${directory}`)
  })

  it('hide what stands in addresses', () =>
    inFolder(async (folder) => {
      const env = { RHEO_REDIS: 'rediss://app:s3cret@cache:6380', RHEO_REGISTRY: 'http://me:s3cret@registry:8081/x' }
      for (const more of [[], ['--json']]) {
        const { stdout } = await rheo(folder, ['config', 'print', ...more], { env })
        expect(stdout).not.toContain('s3cret')
        expect(stdout).toContain('cache:6380')
        expect(stdout).toContain('registry:8081/x')
      }
    }))
})

describe('how servers are reached', () => {
  it('follows from addresses: user, password, TLS and cluster', () => {
    const plain = redisOptionsOf(readSettings({ redis: 'cache' }).settings)
    expect(plain).toEqual({ addresses: ['cache:6379'], topology: 'single', prefix: 'rheo' })
    const url = redisOptionsOf(readSettings({ redis: 'rediss://app:a%40b@cache:6380' }).settings)
    expect(url).toMatchObject({ addresses: ['cache:6380'], username: 'app', password: 'a@b', tls: {} })
    const cluster = redisOptionsOf(readSettings({ redis: 'a:1, b:2' }).settings)
    expect(cluster).toMatchObject({ addresses: ['a:1', 'b:2'], topology: 'cluster' })
  })

  it('switches TLS on with a certificate, and refuses certificates where TLS is off', () => {
    const kafkaCa = file('ca.pem', '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n')
    const settings = { kafka: 'a:1', kafkaCa }
    expect(kafkaConnectionOf(readSettings(settings).settings)?.tls).toMatchObject({
      ca: expect.stringContaining('BEGIN'),
    })
    expect(kafkaConnectionOf(readSettings({ kafka: 'a:1' }).settings)?.tls).toBe('none')
    const off = readSettings({ ...settings, kafkaTls: 'off' }).settings
    expect(refusal(() => kafkaConnectionOf(off)).message).toContain('kafkaTls')
  })

  it('asks for a user and a password together', () => {
    process.env['RHEO_KAFKA_PASSWORD'] = 'secret'
    const alone = readSettings({ kafka: 'a:1' }).settings
    expect(refusal(() => kafkaConnectionOf(alone)).message).toContain('kafkaUsername')
    const both = readSettings({ kafka: 'a:1', kafkaUsername: 'app' }).settings
    expect(kafkaConnectionOf(both)?.sasl).toEqual({
      mechanism: 'scram-sha-512',
      username: 'app',
      password: 'secret',
    })
  })
})
