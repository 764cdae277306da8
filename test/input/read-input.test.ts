import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EventSchema } from '../../schemas/event-schema.ts'
import { paymentSchema } from '../../schemas/generated/fraud/payment.ts'
import { parseInputMap } from '../../streams/input/input-map.ts'
import { defaultInputSettings, type InputItem, type InputSettings, readInput } from '../../streams/input/read-input.ts'

const note: EventSchema = {
  name: 'note',
  avro: {
    type: 'record',
    name: 'Note',
    fields: [
      { name: 'id', type: 'string' },
      { name: 'eventTime', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'tags', type: { type: 'array', items: 'string' }, default: [] },
    ],
  },
}
const settings: InputSettings = {
  ...defaultInputSettings,
  schemas: new Map<string, EventSchema>([
    ['payment', paymentSchema],
    ['note', note],
  ]),
}
const fields = { paymentId: 'id', customerId: 'who', terminalId: 'where', amount: 'amount' }
const payments = {
  event: 'payment',
  time: { column: 't', unit: 's' },
  fields,
  label: { column: 'fraud', delay: '10s' },
}
const header = 'id,t,who,where,amount,fraud\n'
const row = (id: string, t: number | string) => `${id},${t},c,x,1.5,0\n`

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'rheo-input-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function input(name: string, content: string | Uint8Array, map: object = payments) {
  writeFileSync(join(dir, name), content)
  return { file: join(dir, name), map: parseInputMap(JSON.stringify(map), 'map.json') }
}

async function read(inputs: ReturnType<typeof input>[], more: Partial<InputSettings> = {}): Promise<InputItem[]> {
  const items: InputItem[] = []
  for await (const batch of readInput(inputs, { ...settings, ...more })) items.push(...batch)
  return items
}

/** `e:id@clock`, `l:id@clock` or `r:CODE@clock`. */
function told(items: readonly InputItem[]): string[] {
  return items.map((item) => {
    if (item.kind === 'rejected') return `r:${item.rejection.code}@${item.atMs}`
    const { paymentId, id } = (item.kind === 'label' ? item : item.event) as { paymentId?: string; id?: string }
    return `${item.kind[0]}:${paymentId ?? id}@${item.atMs}`
  })
}

describe('a file becomes events', () => {
  const events = ['e:a@1000', 'e:b@2000', 'l:a@11000', 'l:b@12000']
  const ndjson =
    '{"id":"a","t":1,"who":"c","where":"x","amount":1.5,"fraud":0}\n\n{"id":"b","t":2,"who":"c","where":"x","amount":1.5,"fraud":true}'

  it.each([
    ['plain.csv', header + row('a', 1) + row('b', 2)],
    ['no-last-line-feed.csv', (header + row('a', 1) + row('b', 2)).trimEnd()],
    ['crlf.csv', (header + row('a', 1) + row('b', 2)).replaceAll('\n', '\r\n')],
    ['bom.csv', `\ufeff${header}${row('a', 1)}${row('b', 2)}`],
    ['semicolons.csv', (header + row('a', 1) + row('b', 2)).replaceAll(',', ';')],
    ['quoted.csv', `${header}"a",1,c,x,1.5,0\n"b","2",c,x,"1.5",0`],
    ['packed.csv.gz', gzipSync(header + row('a', 1) + row('b', 2))],
    ['rows.ndjson', ndjson],
    ['rows.jsonl.gz', gzipSync(ndjson)],
  ])('%s', async (name, content) => {
    expect(told(await read([input(name, content)]))).toEqual(events)
  })

  it('with quoted delimiters, doubled quotes and line breaks in fields', async () => {
    const items = await read([input('q.csv', `${header}"a,""b""\n.",1,c,"x\r\ny",1.5,0\nb,2,c,"",1.5,0\nd,3,c,"z\n"`)])
    expect(items[0]).toMatchObject({ event: { paymentId: 'a,"b"\n.', terminalId: 'x\r\ny' }, line: 2 })
    expect(items[1]).toMatchObject({ rejection: { code: 'FIELD_MISSING', field: 'terminalId' }, line: 5 })
    expect(items[2]).toMatchObject({ rejection: { code: 'ROW_UNPARSABLE' }, line: 6 })
  })

  it('with columns joined and split, days, and what the map leaves out', async () => {
    const map = {
      event: 'note',
      time: { column: 'day', unit: 'date', at: 'end' },
      fields: { id: { columns: ['a', 'b'], join: '-' }, tags: { column: 'tags', split: ' ' } },
    }
    const [item] = await read([input('n.csv', 'a,b,tags,day\nx,7,one two,2026-01-31\n', map)])
    const eventTime = Date.UTC(2026, 1, 1) - 1
    expect(item).toMatchObject({ atMs: eventTime, event: { id: 'x-7', tags: ['one', 'two'], eventTime } })
  })

  it('numbers and numeric ids in JSON alike', async () => {
    const [item] = await read([input('ids.ndjson', '{"id":12,"t":"1","who":"c","where":3,"amount":"2","fraud":""}')])
    expect(item).toMatchObject({
      event: { paymentId: '12', terminalId: '3', amount: 2, deviceId: null, currency: 'EUR' },
    })
  })
})

describe('the order of admission', () => {
  it('is the file’s; the clock never goes back, and one absurd time does not move it', async () => {
    const rows = row('a', 10) + row('b', 8) + row('far', 99_999_999) + row('c', 12)
    const padding = Array.from({ length: 20 }, (_, i) => row(`p${i}`, 13 + i)).join('')
    const items = await read([input('far.csv', header + rows + padding)])
    expect(told(items).slice(0, 4)).toEqual(['e:a@8000', 'e:b@8000', 'e:far@12000', 'e:c@12000'])
    expect(told(items).filter((text) => text.startsWith('l:far'))).toEqual([])
  })

  it('merges files by time, at equal times in the order given, labels first', async () => {
    const first = input('f1.csv', header + row('a', 1) + row('c', 11))
    const second = input('f2.csv', header + row('b', 1) + row('d', 12))
    expect(told(await read([second, first]))).toEqual([
      'e:b@1000',
      'e:a@1000',
      'l:b@11000',
      'l:a@11000',
      'e:c@11000',
      'e:d@12000',
      'l:c@21000',
      'l:d@22000',
    ])
  })

  it('gives events without a time the current one', async () => {
    const notes = input('notes.ndjson', '{"id":"n1"}\n{"id":"n2"}', { event: 'note', fields: { id: 'id' } })
    const items = await read([input('f3.csv', header + row('a', 1)), notes], { startMs: 500 })
    expect(told(items)).toEqual(['e:n1@500', 'e:n2@500', 'e:a@1000', 'l:a@11000'])
    expect(items[0]).toMatchObject({ event: { eventTime: 500 } })
  })

  it('is the same when a former run is passed over, pending labels included', async () => {
    const times = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(times, times, fc.nat(200), async (left, right, skipItems) => {
        const files = [left, right].map((list, f) =>
          input(`skip${f}.csv`, header + list.map((t, i) => row(`${f}-${i}`, t)).join('')),
        )
        const whole = await read(files)
        expect(whole.length).toBe(2 * (left.length + right.length))
        expect(whole.every((item, i) => i === 0 || item.atMs >= whole[i - 1]!.atMs)).toBe(true)
        expect(await read(files, { skipItems })).toEqual(whole.slice(skipItems))
      }),
      { numRuns: 30 },
    )
  })

  it('does not depend on where chunks end', async () => {
    const rows = Array.from({ length: 9_000 }, (_, i) => row(`payment-${i}`, i)).join('')
    const items = await read([input('long.csv', header + rows, { ...payments, label: undefined })])
    expect(told(items)).toEqual(Array.from({ length: 9_000 }, (_, i) => `e:payment-${i}@${i * 1000}`))
  })
})

describe('bad input has a named verdict', () => {
  it.each([
    ['ROW_UNPARSABLE', 'a,1,c,x\n'],
    ['ROW_UNPARSABLE', '"a"b,1,c,x,1.5,0\n'],
    ['FIELD_MISSING', ',1,c,x,1.5,0\n'],
    ['FIELD_MISSING', 'a,,c,x,1.5,0\n'],
    ['TIME_INVALID', 'a,soon,c,x,1.5,0\n'],
    ['FIELD_INVALID', 'a,1,c,x,12 €,0\n'],
    ['FIELD_INVALID', 'a,1,c,x,1.5,perhaps\n'],
    ['NUMBER_NOT_FINITE', 'a,1,c,x,NaN,0\n'],
    ['NUMBER_NOT_FINITE', 'a,1,c,x,1e999,0\n'],
  ])('%s: %j, and its label is not sent', async (code, text) => {
    const items = await read([input('bad.csv', header + row('ok', 1) + text + row('ok2', 2))])
    expect(told(items)).toEqual(
      ['e:ok@1000', `r:${code}@1000`, 'e:ok2@2000', 'l:ok@11000', 'l:ok2@12000'].map((t) =>
        t.startsWith('r:') ? expect.stringMatching(new RegExp(`^r:${code}@`)) : t,
      ),
    )
    const [rejected] = items.filter((item) => item.kind === 'rejected')
    expect(Buffer.from(rejected!.kind === 'rejected' ? rejected!.raw : []).toString()).toBe(text.trimEnd())
  })

  it.each(['{"id":', '[1]', '3', 'null', '{"id":"a","t":1,"who":"c","where":"x","amount":NaN}'])(
    'a JSON line %s',
    async (text) => {
      const good = '{"id":"a","t":1,"who":"c","where":"x","amount":1}'
      const items = await read([input('bad.ndjson', `${good}\n${text}\n`)])
      expect(told(items)).toEqual(['e:a@1000', 'r:ROW_UNPARSABLE@1000'])
    },
  )

  it('__proto__ is a column like any other', async () => {
    const items = await read([input('proto.ndjson', '{"t":1,"__proto__":{"id":"a","who":"c","where":"x","amount":1}}')])
    expect(told(items)).toEqual(['r:FIELD_MISSING@0'])
  })

  it('a line of 50 MB costs neither the run nor the memory', async () => {
    const long = Buffer.concat([
      Buffer.from(header + row('a', 1)),
      Buffer.alloc(50_000_000, 'x'),
      Buffer.from(`\n${row('b', 2)}`),
    ])
    const items = await read([input('huge.csv.gz', gzipSync(long, { level: 1 }))])
    expect(told(items).slice(0, 3)).toEqual(['e:a@1000', 'r:RECORD_TOO_LARGE@2000', 'e:b@2000'])
    expect(items[1]).toMatchObject({ kind: 'rejected', line: 3, raw: { length: 65_536 } })
    expect(items[2]).toMatchObject({ line: 4 })
  })

  it('after a quote that nothing closes, only its line is lost', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => row(`p${i}`, i)).join('')
    const items = await read([
      input('quote.csv', `${header}"a,1,c,x,1.5,0\n${rows}`, { ...payments, label: undefined }),
    ])
    expect(items.length).toBe(20_001)
    expect(items[0]).toMatchObject({ rejection: { code: 'ROW_UNPARSABLE' }, line: 2 })
    expect(items[1]).toMatchObject({ event: { paymentId: 'p0' }, line: 3 })
  })

  it('a cut gzip gives what can be unpacked, whole rows only, and then says what to do', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => row(`p${(i * 2_654_435_761) % 1_000_003}`, i)).join('')
    const packed = gzipSync(header + rows)
    const file = input('cut.csv.gz', packed.subarray(0, packed.length / 2), { ...payments, label: undefined })
    const items: InputItem[] = []
    const reading = async () => {
      for await (const batch of readInput([file], settings)) items.push(...batch)
    }
    await expect(reading()).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
      hint: expect.stringContaining('cut off'),
    })
    expect(items.length).toBeGreaterThan(15_000)
    expect(items.every((item) => item.kind === 'event')).toBe(true)
  })

  it.each([
    ['INPUT_UNREADABLE', 'named.csv.gz', 'id,t\n', payments],
    ['MAP_INVALID', 'column.csv', 'id,tt,who,where,amount,fraud\n', payments],
    ['MAP_INVALID', 'column.ndjson', '{"id":"a","time":1}\n', payments],
    ['MAP_INVALID', 'field.csv', header, { ...payments, fields: { ...fields, amout: 'amount' } }],
    ['MAP_INVALID', 'required.csv', header, { ...payments, fields: { paymentId: 'id' } }],
    ['MAP_INVALID', 'event.csv', header, { ...payments, event: 'paiment' }],
  ])('%s before anything runs: %s', async (code, name, content, map) => {
    await expect(read([input('fine.csv', header + row('a', 1)), input(name, content, map)])).rejects.toMatchObject({
      code,
    })
  })

  it('a missing file', async () => {
    const file = { ...input('gone.csv', ''), file: join(dir, 'nowhere.csv') }
    await expect(read([file])).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
  })

  it('names the column that was probably meant', async () => {
    await expect(read([input('near.csv', 'id,t,whom,where,amount,fraud\n')])).rejects.toMatchObject({
      hint: 'Did you mean "whom"?',
    })
  })

  it('any bytes end in items or in a named error', async () => {
    const piece = fc.oneof(
      fc.constantFrom('"', '\n', '\r\n', ',', '{', '}', row('a', 1), '"a\nb"', '\u0000'),
      fc.string(),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 30 }),
        fc.constantFrom('z.csv', 'z.ndjson'),
        async (pieces, name) => {
          const lines = (name === 'z.csv' ? header : '{"t":1}\n') + pieces.join('')
          const items = await read([input(name, lines)])
          expect(items.every((item, i) => i === 0 || item.atMs >= items[i - 1]!.atMs)).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })
})
