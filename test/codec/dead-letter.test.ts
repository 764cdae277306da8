import { describe, expect, it } from 'vitest'
import { labelSchema } from '../../schemas/generated/fraud/label.ts'
import { reject } from '../../schemas/rejection.ts'
import { createCloudEventHeaders } from '../../streams/codec/cloudevents.ts'
import { fromDeadLetter, toDeadLetter } from '../../streams/dead-letter.ts'

const record = {
  offset: 41n,
  key: Buffer.from('k'),
  value: Buffer.from('not an event'),
  headers: { traceparent: '00-1-2-01' },
  timestampMs: 77,
}

describe('a dead letter', () => {
  const letter = toDeadLetter(record, 'rheo.fraud.payments.v1', 3, reject('INVALID_JSON', 'no JSON'), 'intake')

  it('keeps bytes, key, timestamp and headers, and says why and where from', () => {
    expect(letter).toMatchObject({ key: record.key, value: record.value, timestampMs: 77 })
    expect(letter.headers).toEqual({
      traceparent: '00-1-2-01',
      'rheo.dlq.code': 'INVALID_JSON',
      'rheo.dlq.reason': 'no JSON',
      'rheo.dlq.topic': 'rheo.fraud.payments.v1',
      'rheo.dlq.partition': '3',
      'rheo.dlq.offset': '41',
      'rheo.dlq.stage': 'intake',
    })
  })

  it('turns back into the record that was appended', () => {
    const { offset: _, ...appended } = record
    const back = fromDeadLetter({ offset: 0n, ...letter, headers: letter.headers! })
    expect(back?.record).toEqual(appended)
    expect(back?.origin).toMatchObject({ topic: 'rheo.fraud.payments.v1', partition: 3, offset: 41n, stage: 'intake' })
  })

  it('is not taken from a record that is none', () => {
    expect(fromDeadLetter(record)).toBeUndefined()
  })
})

it('an output carries CloudEvents headers', () => {
  expect(createCloudEventHeaders('rheo.fraud.labels.v1', labelSchema)('p1', 0, 'p1')).toEqual({
    ce_specversion: '1.0',
    ce_type: 'rheo.fraud.label',
    ce_source: '/rheo.fraud.labels.v1',
    ce_id: 'p1',
    ce_time: '1970-01-01T00:00:00.000Z',
    ce_partitionkey: 'p1',
    'content-type': 'application/avro',
  })
})
