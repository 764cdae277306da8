import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { COMPATIBILITY, SchemaRegistry as RegistryClient, SchemaType } from '@kafkajs/confluent-schema-registry'
import { afterEach, describe, expect, test } from 'vitest'
import { RheoError } from '../../schemas/errors.ts'
import type { AvroField, EventSchema } from '../../schemas/event-schema.ts'
import { isRejection } from '../../schemas/rejection.ts'
import { topics } from '../../schemas/topics.ts'
import { createEventCodec } from '../../streams/codec/event-codec.ts'
import { createInputCodec } from '../../streams/codec/input-codec.ts'
import { missingSchemas, openSchemaRegistry, type RegistryOptions } from '../../streams/codec/registry.ts'
import { failureOf } from './state-changes.ts'

type ConfluentSchema = Extract<Parameters<RegistryClient['register']>[0], { type: SchemaType }>

const url = process.env['RHEO_TEST_REGISTRY'] ?? 'http://127.0.0.1:18081/apis/ccompat/v7'

/** An event type of one test's own, in versions. */
function eventType() {
  const id = randomUUID().replaceAll('-', '')
  const topic = `rheo.test.${id}.v1`
  const schema = (...fields: AvroField[]): EventSchema<Record<string, unknown>> => ({
    name: 'reading',
    avro: { type: 'record', name: 'Reading', namespace: `rheo.test.t${id}`, fields },
  })
  const open = (version: EventSchema, more: Partial<RegistryOptions> = {}) =>
    openSchemaRegistry({ url, topics: [{ name: topic, schema: version }], ...more })
  return { topic, schema, open }
}

const a = { name: 'a', type: 'string' } as const
const b = { name: 'b', type: 'int', default: 7 } as const

describe('schemas of ours', () => {
  test('the catalogue is registered, and asking again gives the same ids', async () => {
    const options = { url, topics }
    const [once, again] = [await openSchemaRegistry(options), await openSchemaRegistry(options)]
    for (const { schema } of topics) {
      expect(once.idOf(schema)).toBeGreaterThan(0)
      expect(again.idOf(schema)).toBe(once.idOf(schema))
    }
  })

  test('those that are missing are told without registering them; one that breaks a version is refused', async () => {
    const { topic, schema, open } = eventType()
    const missing = (version: EventSchema) => missingSchemas({ url, topics: [{ name: topic, schema: version }] })
    expect(await missing(schema(a))).toEqual([topic])
    expect(await missing(schema(a))).toEqual([topic])
    await open(schema(a))
    expect(await missing(schema(a))).toEqual([])
    expect(await missing(schema(a, b))).toEqual([topic])
    await expect(missing(schema({ ...a, type: 'int' }))).rejects.toThrow('the field "a" was "string" and is "int"')
  })

  test('one version of an event type reads what another has written, whoever starts first', async () => {
    const { schema, open } = eventType()
    const [older, newer] = [schema(a), schema(a, b)]
    const old = createEventCodec(older, await open(older))
    const current = createEventCodec(newer, await open(newer))
    const bytes = old.encode({ a: 'x' })
    expect(current.decode(bytes)).toEqual({ a: 'x', b: 7 }) // as from state that was stored then
    const back = current.encode({ a: 'y', b: 1 })
    expect(isRejection(old.decode(back))).toBe(true) // its schema was not fetched yet
    await old.prepare(back)
    expect(old.decode(back)).toEqual({ a: 'y' })
  })

  test('processes that start together where nothing is registered yet all come up', async () => {
    for (let round = 0; round < 5; round++) {
      const { schema, open } = eventType()
      const opened = await Promise.all(Array.from({ length: 4 }, () => open(schema(a))))
      expect(new Set(opened.map((registry) => registry.idOf(schema(a)))).size).toBe(1)
    }
  })

  test('a schema that nobody named when the registry was opened has no id', async () => {
    const { schema, open } = eventType()
    const registry = await open(schema(a))
    expect(() => registry.idOf(schema(a, b))).toThrow(RheoError)
  })
})

describe('an incompatible schema is refused, and the field is named', () => {
  const refusal = async (work: Promise<unknown>): Promise<string> => {
    const error = await work.then(
      () => null,
      (reason: unknown) => reason,
    )
    if (!(error instanceof RheoError)) throw new Error('expected a refusal')
    expect(error.code).toBe('SCHEMA_INCOMPATIBLE')
    expect(error.retryable).toBe(false)
    return error.message
  }

  test('a new field without a default', async () => {
    const { schema, open } = eventType()
    await open(schema(a))
    expect(await refusal(open(schema(a, { name: 'b', type: 'int' })))).toContain('the field "b" is new')
  })

  test('a field of another type', async () => {
    const { schema, open } = eventType()
    await open(schema(a, b))
    const message = await refusal(open(schema(a, { name: 'b', type: 'string', default: '' })))
    expect(message).toContain('the field "b" was "int" and is "string"')
  })

  test('a default dropped that only an older version needs', async () => {
    const { schema, open } = eventType()
    await open(schema(a))
    await open(schema(a, b))
    const message = await refusal(open(schema(a, { name: 'b', type: 'int' })))
    expect(message).toContain('since version 1, the field "b" is new')
  })
})

describe('schemas of others', () => {
  const client = new RegistryClient({ host: url })
  const opts = (subject: string) => ({ subject, compatibility: COMPATIBILITY.BACKWARD_TRANSITIVE })

  test('an event of a foreign producer, registered elsewhere with more fields in another order, is read with ours', async () => {
    const { schema, open } = eventType()
    const codec = createInputCodec<Record<string, unknown>>(schema(a, b), await open(schema(a, b)), 1_000)
    const foreign = schema({ name: 'more', type: ['null', 'double'], default: null }, b, a).avro
    const { id } = await client.register(
      { type: SchemaType.AVRO, schema: JSON.stringify(foreign, null, 2) },
      opts(randomUUID()),
    )
    const bytes = await client.encode(id, { more: null, b: 3, a: 'x' })
    await codec.prepare(bytes)
    expect(codec.decode(bytes)).toEqual({ a: 'x', b: 3 })
  })

  test.each([
    ['another event type', SchemaType.AVRO, { type: 'record', name: 'Other', namespace: 'x', fields: [a] }],
    ['JSON', SchemaType.JSON, { type: 'object', title: 'Other', properties: { a: { type: 'string' } } }],
  ])('the id of a schema of %s is a dead letter', async (_, type, text) => {
    const { schema, open } = eventType()
    const codec = createEventCodec(schema(a), await open(schema(a)))
    const { id } = await client.register({ type, schema: JSON.stringify(text) } as ConfluentSchema, opts(randomUUID()))
    const bytes = Buffer.concat([codec.encode({ a: 'x' })])
    bytes.writeUInt32BE(id, 1)
    await codec.prepare(bytes)
    expect(codec.decode(bytes)).toMatchObject({ kind: 'rejected', code: 'UNKNOWN_SCHEMA_ID' })
  })

  test.each([0, 2 ** 31, 2 ** 32 - 1])(
    'the id %i, which nobody has, is a dead letter, and is asked for once',
    async (id) => {
      const { schema, open } = eventType()
      const front = await listen(forwardingTo(new URL(url)))
      const registry = await open(schema(a), { url: front.url })
      const codec = createEventCodec(schema(a), registry)
      const bytes = Buffer.concat([codec.encode({ a: 'x' })])
      bytes.writeUInt32BE(id, 1)
      const before = front.requests.length
      for (let i = 0; i < 20; i++) {
        await codec.prepare(bytes)
        expect(codec.decode(bytes)).toMatchObject({ kind: 'rejected', code: 'UNKNOWN_SCHEMA_ID' })
      }
      expect(front.requests.length - before).toBeLessThan(5)
    },
  )

  test('a subject with a weaker compatibility is refused with its cure; a stricter one will do', async () => {
    for (const [level, expected] of [
      ['FORWARD', 'CONFIG_INVALID'],
      ['NONE', 'CONFIG_INVALID'],
      ['FULL_TRANSITIVE', 'opened'],
    ] as const) {
      const { schema, open, topic } = eventType()
      await open(schema(a))
      const response = await fetch(`${url}/config/${topic}-value`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ compatibility: level }),
      })
      expect(response.status).toBe(200)
      const outcome = open(schema(a, b)).then(
        () => 'opened',
        (error: RheoError) => error.code,
      )
      expect(await outcome).toBe(expected)
    }
  })
})

describe('a registry that is away', () => {
  test('at start, and then at an unknown id: retryable, never a dead letter; it goes on when the registry is back', async () => {
    const { schema, open } = eventType()
    const front = await listen(forwardingTo(new URL(url)))
    const registry = await open(schema(a, b), { url: front.url, timeoutMs: 300 })
    const codec = createEventCodec(schema(a, b), registry)
    const bytes = createEventCodec(
      schema(a),
      await openSchemaRegistry({ url, topics: [{ name: randomUUID(), schema: schema(a) }] }),
    ).encode({ a: 'x' })
    for (const mode of ['refuse', 'hold', 'not found page', 'broken'] as const) {
      front.mode = mode
      expect(await failureOf(() => codec.prepare(bytes))).toBe('REGISTRY_UNAVAILABLE, retryable')
      expect(await failureOf(() => open(schema(a, b), { url: front.url, timeoutMs: 300 }))).toBe(
        'REGISTRY_UNAVAILABLE, retryable',
      )
    }
    front.mode = 'forward'
    await codec.prepare(bytes)
    expect(codec.decode(bytes)).toEqual({ a: 'x', b: 7 })
  })

  test('its failure says what happened, and what to do', async () => {
    const { schema, open } = eventType()
    const failure = (address: string) => open(schema(a), { url: address }).catch((error: unknown) => error)
    const origin = new URL(url).origin
    expect(await failure(origin)).toMatchObject({
      message: expect.stringContaining('answered 404'),
      hint: expect.stringContaining('the path of the Confluent API'),
    })
    expect(await failure('http://127.0.0.1:9')).toMatchObject({
      message: expect.stringMatching(/does not answer: 127.0.0.1:9 refused the connection$/),
      hint: expect.stringContaining('Start it'),
    })
  })

  test('what has been seen goes on without it', async () => {
    const { schema, open } = eventType()
    const front = await listen(forwardingTo(new URL(url)))
    const codec = createEventCodec(schema(a), await open(schema(a), { url: front.url }))
    front.mode = 'refuse'
    const bytes = codec.encode({ a: 'x' })
    await codec.prepare(bytes)
    expect(codec.decode(bytes)).toEqual({ a: 'x' })
  })

  test('asked without waiting, its failure ends nothing', async () => {
    const { schema, open } = eventType()
    const front = await listen(forwardingTo(new URL(url)))
    const codec = createEventCodec(schema(a), await open(schema(a), { url: front.url, timeoutMs: 100 }))
    front.mode = 'refuse'
    const bytes = Buffer.concat([codec.encode({ a: 'x' })])
    bytes.writeUInt32BE(4_000_000, 1)
    expect(codec.decode(bytes)).toMatchObject({ code: 'UNKNOWN_SCHEMA_ID' })
    await expect.poll(() => front.requests.length, { timeout: 3_000 }).toBeGreaterThan(4)
  })
})

describe('a registry that asks for a user', () => {
  const credentials = (more: Partial<RegistryOptions>) => async () => {
    const { schema, open } = eventType()
    const front = await listen(forwardingTo(new URL(url), `Basic ${Buffer.from('me:secret').toString('base64')}`))
    return open(schema(a), { url: front.url, ...more })
  }

  test('lets in the right one, and refuses others for good', async () => {
    expect(await credentials({ username: 'me', password: 'secret' })()).toBeDefined()
    expect(await failureOf(credentials({ username: 'me', password: 'wrong' }))).toBe('AUTH_FAILED')
    expect(await failureOf(credentials({}))).toBe('AUTH_FAILED')
  })

  test.each(['', 'ftp://127.0.0.1', '127.0.0.1:8081'])('the address "%s" is refused', async (address) => {
    const { schema, open } = eventType()
    expect(await failureOf(() => open(schema(a), { url: address }))).toBe('CONFIG_INVALID')
  })
})

/** What stands between Rheo and the registry, and may go wrong. */
interface Front {
  mode: 'forward' | 'refuse' | 'hold' | 'not found page' | 'broken'
  readonly url: string
  readonly requests: string[]
}

const opened: Server[] = []
afterEach(() => {
  for (const server of opened.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

type Forward = (incoming: IncomingMessage, answer: (status: number, body: string) => void) => void

async function listen(forward: Forward): Promise<Front> {
  const requests: string[] = []
  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`)
    if (front.mode === 'refuse') incoming.socket.destroy()
    else if (front.mode === 'not found page') outgoing.writeHead(404).end('<html>no such page</html>')
    else if (front.mode === 'broken') outgoing.writeHead(503).end('{"message":"out of order","error_code":50001}')
    else if (front.mode === 'forward') {
      forward(incoming, (status, body) => {
        outgoing.writeHead(status, { 'content-type': 'application/json' }).end(body)
      })
    }
  })
  opened.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const front: Front = { mode: 'forward', url: `http://127.0.0.1:${port}${new URL(url).pathname}`, requests }
  return front
}

function forwardingTo(target: URL, authorization?: string): Forward {
  return (incoming, answer) => {
    if (authorization !== undefined && incoming.headers.authorization !== authorization) {
      return answer(401, '{"message":"who are you?","error_code":40101}')
    }
    const { authorization: _, host: __, ...headers } = incoming.headers
    const forwarded = request(
      { host: target.hostname, port: target.port, path: incoming.url, method: incoming.method, headers },
      async (response) => answer(response.statusCode!, Buffer.concat(await response.toArray()).toString()),
    )
    incoming.pipe(forwarded)
  }
}
