import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { Connections } from '../../streams/event-log/kafka-link.ts'
import { codeOf } from './harness.ts'

const broker = { host: 'a', port: 1 }

test('each broker is connected to once, and anew where the connection broke or could not be made', async () => {
  const made: { name: string; isUsable: boolean; isClosed: boolean }[] = []
  let refuses = true
  const connections = new Connections(
    async ({ host, port }) => {
      if (refuses) throw new Error('refused')
      const connection = { name: `${host}:${port}`, isUsable: true, isClosed: false }
      made.push(connection)
      return connection
    },
    ({ isUsable }) => isUsable,
    async (connection) => {
      connection.isClosed = true
    },
  )
  await expect(connections.to(broker)).rejects.toThrow('refused')
  refuses = false
  const [first, same] = await Promise.all([connections.to(broker), connections.to(broker)])
  expect(same).toBe(first)
  await connections.to({ host: 'b', port: 1 })
  first.isUsable = false
  const [second, again] = await Promise.all([connections.to(broker), connections.to(broker)])
  expect(again).toBe(second)
  expect(second).not.toBe(first)
  const opening = connections.to({ host: 'c', port: 1 })
  await connections.close()
  await opening
  expect(made.map(({ name, isClosed }) => [name, isClosed])).toEqual([
    ['a:1', true],
    ['b:1', true],
    ['a:1', true],
    ['c:1', true],
  ])
  expect(await codeOf(() => connections.to(broker))).toBe('LOG_UNAVAILABLE')
})

test('the client platformatic says what to do where its package is not installed', () => {
  const link = resolve(import.meta.dirname, '../../streams/event-log/kafka-link-platformatic.ts')
  const script = `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier !== '@platformatic/kafka') return next(specifier, context)
        throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
      },
    })
    const { platformaticLink } = await import(${JSON.stringify(link)})
    await platformaticLink('rheo', {}).send({ host: '127.0.0.1', port: 1 }, {}).catch(({ code, hint }) => console.log(code, hint))
  `
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  expect(said).toMatch(/^CONFIG_INVALID .*npm install @platformatic\/kafka@2\.12\.1/)
})
