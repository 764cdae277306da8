import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { environmentName, settingNames } from '../../cli/setting-list.ts'
import { filesBelow, root, sourceFolders } from '../house/source-files.ts'
import { readYaml } from './read-yaml.ts'

const duration = z.string().regex(/^\d+s$/)
const pinned = z.string().regex(/^[a-z0-9./-]+:\d+(\.\d+)+(-[a-z]+)?$/)

/** What compose.yaml may say; an unknown word is a mistake. */
const composeSchema = z.strictObject({
  name: z.literal('rheo'),
  services: z.record(
    z.string(),
    z.strictObject({
      image: pinned.optional(),
      build: z.strictObject({ context: z.literal('..') }).optional(),
      command: z.array(z.string()).optional(),
      environment: z.record(z.string(), z.string()),
      ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/, 'loopback only')),
      volumes: z.array(z.string().regex(/^[a-z0-9]+:\/[\w/]+$/)).optional(),
      depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).optional(),
      healthcheck: z
        .strictObject({
          test: z.array(z.string()).min(2),
          interval: duration,
          timeout: duration,
          retries: z.string().regex(/^\d+$/),
          start_period: duration.optional(),
        })
        .optional(),
      read_only: z.literal('true').optional(),
      tmpfs: z.array(z.string()).optional(),
      cap_drop: z.array(z.string()).optional(),
      security_opt: z.array(z.string()).optional(),
      stop_grace_period: duration.optional(),
      restart: z.literal('unless-stopped'),
    }),
  ),
  volumes: z.record(z.string(), z.literal('')),
})

const compose = composeSchema.parse(readYaml(readFileSync(join(root, 'deploy/compose.yaml'), 'utf8'))[0])
const services = Object.entries(compose.services)
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')

describe('compose.yaml', () => {
  test('has the five services, each pinned or built here, each with a check of its health', () => {
    expect(services.map(([name]) => name).sort()).toEqual(['kafka', 'neo4j', 'redis', 'registry', 'rheo'])
    for (const [name, service] of services) {
      expect(service.image === undefined, name).toBe(service.build !== undefined)
      expect(service.healthcheck !== undefined || dockerfile.includes('HEALTHCHECK'), name).toBe(true)
    }
  })

  test('names only volumes and services that exist', () => {
    const volumes = services.flatMap(([, service]) => service.volumes ?? []).map((volume) => volume.split(':')[0])
    expect(new Set(volumes)).toEqual(new Set(Object.keys(compose.volumes)))
    for (const [, service] of services) {
      for (const needed of Object.keys(service.depends_on ?? {})) expect(compose.services[needed]).toBeDefined()
    }
  })

  test('gives Rheo settings that exist, and the addresses of these services', () => {
    const { environment } = compose.services['rheo']!
    expect(Object.keys(environment).filter((name) => !settingNames.map(environmentName).includes(name))).toEqual([])
    for (const [setting, host] of [
      ['RHEO_KAFKA', 'kafka:9092'],
      ['RHEO_REDIS', 'redis:6379'],
      ['RHEO_REGISTRY', 'http://registry:8080/apis/ccompat/v7'],
    ] as const) {
      expect(environment[setting]).toBe(host)
    }
    expect(compose.services['redis']!.command).toContain('noeviction')
  })

  test('lets Rheo write nowhere but in its volume', () => {
    const rheo = compose.services['rheo']!
    expect([rheo.read_only, rheo.cap_drop, rheo.security_opt]).toEqual(['true', ['ALL'], ['no-new-privileges:true']])
    expect(rheo.volumes).toEqual([`rheo:${rheo.environment['RHEO_STATE']}`])
  })
})

describe('Dockerfile', () => {
  test('is built on a pinned Node, of the version that Rheo asks for, and ends as another user than root', () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1])
    expect(new Set(bases).size).toBe(1)
    expect(bases[0]).toMatch(/^node:24\.\d+\.\d+-slim$/)
    expect([...dockerfile.matchAll(/^USER (\S+)/gm)].at(-1)?.[1]).toBe('node')
  })

  test('copies every folder of sources, and .dockerignore lets them in', () => {
    const ignore = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
    const folders = sourceFolders.filter((folder) => filesBelow(folder, ['.ts']).length > 0)
    expect(folders.filter((folder) => !dockerfile.includes(`COPY ${folder} ${folder}\n`))).toEqual([])
    expect([...folders, 'package-lock.json', '.npmrc'].filter((path) => !ignore.includes(`!${path}`))).toEqual([])
  })
})
