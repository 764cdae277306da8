/**
 * What reading a file costs, from gzip CSV to checked payments and their labels: `node bench/input.ts [FILE MAP]`.
 * Without arguments a file of 500,000 made-up rows is written to the temporary folder. One core and zlib's thread.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { paymentSchema } from '../schemas/generated/fraud/payment.ts'
import { parseInputMap } from '../streams/input/input-map.ts'
import { defaultInputSettings, readInput } from '../streams/input/read-input.ts'

const [file, mapFile] = process.argv.slice(2)
if (file !== undefined && mapFile !== undefined) await measure(file, readFileSync(mapFile, 'utf8'))
else await measureMadeUp(500_000)

async function measureMadeUp(rows: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rheo-bench-'))
  try {
    const lines = ['id,t,customer,terminal,amount,fraud']
    for (let i = 0; i < rows; i++) {
      lines.push(
        `${i},${9 * i},${(i * 7919) % 5000},${(i * 104_729) % 10_000},${(((i * 31) % 20_000) / 100).toFixed(2)},0`,
      )
    }
    const path = join(folder, 'payments.csv.gz')
    writeFileSync(path, gzipSync(lines.join('\n')))
    const fields = { paymentId: 'id', customerId: 'customer', terminalId: 'terminal', amount: 'amount' }
    const time = { column: 't', unit: 's', origin: '2026-01-01T00:00:00Z' }
    await measure(path, JSON.stringify({ event: 'payment', time, fields, label: { column: 'fraud', delay: '7d' } }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function measure(path: string, mapText: string): Promise<void> {
  const map = parseInputMap(mapText, 'map')
  const settings = { ...defaultInputSettings, schemas: new Map([['payment', paymentSchema]]) }
  const startMs = performance.now()
  let events = 0
  let others = 0
  for await (const batch of readInput([{ file: path, map }], settings)) {
    for (const item of batch) {
      if (item.kind === 'event') events++
      else others++
    }
  }
  const seconds = (performance.now() - startMs) / 1000
  process.stdout.write(
    `${events} events and ${others} labels or rejections in ${seconds.toFixed(2)} s: ${Math.round(events / seconds)} rows/s\n`,
  )
}
