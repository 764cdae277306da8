import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { environmentName, settingNames, settingNotes } from '../../cli/setting-list.ts'
import { createWorkerMetrics } from '../../cli/worker-metrics.ts'

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
const rowOf = (name: string): readonly string[] => rows.find((row) => row[1] === `\`${name}\``) ?? []

describe('docs/operations.md', () => {
  it.each(settingNames)('describes the setting %s as --help does', (name) => {
    const { about, byDefault } = settingNotes[name]
    const shown = byDefault.replace('<', '&lt;').replace('>', '&gt;')
    expect(rowOf(name).slice(1, 5)).toEqual([`\`${name}\``, `\`${environmentName(name)}\``, about, shown])
  })

  it('lists every metric of Rheo with its labels', () => {
    const ours = createWorkerMetrics()
      .registry.getMetricsAsArray()
      .filter(({ name }) => name.startsWith('rheo_'))
    expect(ours.length).toBeGreaterThan(10)
    for (const metric of ours) {
      const { name, help, labelNames } = metric as typeof metric & { readonly labelNames: readonly string[] }
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      expect(rowOf(name).slice(3, 5)).toEqual([labels, help])
    }
    const listed = rows.map((row) => row[1] ?? '').filter((name) => /^`rheo_\w+`$/.test(name))
    expect(listed.sort()).toEqual(ours.map(({ name }) => `\`${name}\``).sort())
  })
})
