import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { inFolder, rheo } from './rheo.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(root, 'docs', 'own-scenario.md'), 'utf8')

/** The page's files: a block of code below a line that names its file. */
const files = new Map(
  [...page.matchAll(/^`([\w.-]+)`:\n\n```\w+\n(.*?)^```$/gms)].map((match) => [match[1]!, match[2]!]),
)
/** The page's commands, in their order. */
const commands = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap((match) => match[1]!.trimEnd().split('\n'))

function writeFiles(directory: string): void {
  for (const [name, text] of files) writeFileSync(join(directory, name), text)
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ type: 'module' }))
}

/** `npx rheo …` of the page, run here. */
function rheoArgs(command: string): string[] {
  const [npx, name, ...args] = command.split(' ')
  expect([npx, name]).toEqual(['npx', 'rheo'])
  return args
}

async function makeOrders(directory: string): Promise<void> {
  await promisify(execFile)(process.execPath, ['make-orders.mjs'], { cwd: directory })
}

describe('the tutorial', () => {
  it('has the files and commands that it needs', () => {
    expect([...files.keys()]).toEqual(['make-orders.mjs', 'returns.ts', 'map.json'])
    expect(commands).toContain('node make-orders.mjs')
  })

  it('replays its own scenario as it says, twice with the same bytes', () =>
    inFolder(async (directory) => {
      writeFiles(directory)
      await makeOrders(directory)
      const args = rheoArgs(commands.find((command) => command.includes(' replay '))!)
      const first = await rheo(directory, args)
      expect(first.stderr).not.toContain('rheo:')
      expect(first.code).toBe(0)
      expect(first.stdout).toContain('20,000 in = 20,000 scored')
      const scores = (): string => readFileSync(join(directory, 'scores.ndjson'), 'utf8')
      const before = scores()
      const report = readFileSync(join(directory, 'report.html'), 'utf8')
      for (const text of ['Returns found, week by week', 'large-order-of-a-sender-back', 'selfOptimising'])
        expect(report).toContain(text)
      expect(report).not.toMatch(/payment|fraud/i)

      const again = await rheo(directory, [...args, '--json'])
      const { evaluation, outputSha256, flow } = JSON.parse(again.stdout)
      expect(scores()).toBe(before)
      expect(outputSha256).toBe(createHash('sha256').update(before).digest('hex'))
      expect(flow).toMatchObject({ scored: 20_000, labels: 20_000, balanced: true })
      const learning = evaluation.arms.find(({ name }: { name: string }) => name === 'selfOptimising')
      expect(learning.rocAuc).toBeGreaterThan(0.85)
      expect(learning.causal.falsePositiveRate).toBeGreaterThan(0.03)
      expect(learning.causal.falsePositiveRate).toBeLessThan(0.07)

      const lines = before
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(lines[0]).toMatchObject({ orderId: 'o-0', ruleHits: [], modelName: 'ftrl' })
      const hits = lines.filter(({ ruleHits }) => ruleHits.length > 0)
      expect(hits.length).toBeGreaterThan(20)
      expect(hits.every(({ decision, features }) => decision === 'challenge' && features.value > 200)).toBe(true)
    }))

  it('draws its flow, and says what is wrong with a scenario by name', () =>
    inFolder(async (directory) => {
      writeFiles(directory)
      const flow = await rheo(directory, ['topology', './returns.ts'])
      expect(flow.stdout).toMatch(/rheo\.returns\.orders\.v1[\s\S]*intake → customerId[\s\S]*rheo\.returns\.scores\.v1/)
      const declared = files.get('returns.ts')!
      const broken: readonly (readonly [from: string, to: string, code: number, says: string])[] = [
        [
          "'value', 'customerId.ratio.returned.label.30d'",
          "'value', 'customerId.ratio.label.30d'",
          2,
          'which is not declared',
        ],
        ["count().by('productId')", "count().by('shelfId')", 2, 'kept by "shelfId", which no event has'],
        ["value('items')", "value('weight')", 2, 'reads "weight" of "order"'],
        ["grace: '1 h'", "grace: 'a while'", 2, 'a while'],
        [
          "truth: 'returned'",
          "truth: 'returned', topic: inputTopic('returns', 'orders', order, 'orderId')",
          2,
          'label.truth',
        ],
        ['export default', 'export const scenario =', 2, 'is no scenario'],
        ["from 'rheo/rules'", "from 'rheo/laws'", 3, 'does not load'],
      ]
      for (const [i, [from, to, code, says]] of broken.entries()) {
        expect(declared).toContain(from)
        writeFileSync(join(directory, `broken-${i}.ts`), declared.replace(from, to))
        const failed = await rheo(directory, ['topology', `./broken-${i}.ts`])
        expect([failed.code, failed.stderr]).toEqual([code, expect.stringContaining(says)])
      }
      const missing = await rheo(directory, ['topology', './nowhere.ts'])
      expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining('no scenario module')])
      const stream = await rheo(directory, ['replay', './returns.ts'])
      expect([stream.code, stream.stderr]).toEqual([2, expect.stringContaining('generates no events')])
    }))

  it('is fed, looked at and explained from the command line like a built-in one', () =>
    inFolder(async (directory) => {
      writeFiles(directory)
      const own = ['--scenario', './returns.ts', '--state', 's']
      const order = (n: number) => {
        const eventTime = Date.UTC(2026, 0, 1) + n * 60_000
        return JSON.stringify({ orderId: `o${n}`, eventTime, customerId: 'c1', productId: 'p1', value: 5, items: n })
      }
      const stdin = [order(1), order(2), order(3), '{"orderId": "o4"}'].join('\n')
      const produced = await rheo(directory, ['produce', 'orders', ...own, '--json'], { stdin })
      expect(JSON.parse(produced.stdout)).toMatchObject({ records: 4, invalid: 1 })
      const label = { orderId: 'o2', eventTime: Date.UTC(2026, 0, 2), returned: true, source: 'customer' }
      await rheo(directory, ['produce', 'labels', ...own], { stdin: JSON.stringify(label) })
      const dev = await rheo(directory, [
        'dev',
        './returns.ts',
        '--no-generator',
        '--for',
        '1s',
        '--state',
        's',
        '--json',
      ])
      expect(JSON.parse(dev.stdout)).toMatchObject({ scenario: 'returns', scores: 3, labels: 1, deadLetters: 1 })
      const short = ['--no-generator', '--for', '100ms', '--state', 's']
      const shown = await rheo(directory, ['dev', './returns.ts', ...short])
      expect(shown.stdout).toContain('0 returns in 0 outcomes')
      expect(shown.stdout).toContain('rheo subscribe scores --since start --scenario ./returns.ts --state s\n')
      const explained = await rheo(directory, ['explain', 'o2', ...own])
      expect(explained.stdout).toContain('returned, said by customer')
      expect(explained.stdout).toContain('"orderId":"o2"')
      const view = await rheo(directory, ['subscribe', 'scores', ...own, '--since', 'start', '--no-follow', '--json'])
      expect(
        view.stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).event.orderId),
      ).toEqual(['o1', 'o2', 'o3'])
      const letters = await rheo(directory, ['dlq', 'ls', ...own, '--json'])
      expect(JSON.parse(letters.stdout).counts).toMatchObject([{ topic: 'orders', code: 'FIELD_MISSING', letters: 1 }])
    }))

  it('has types that fit', () =>
    inFolder(async (directory) => {
      writeFiles(directory)
      const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
      const source = (built: string): string => join(root, built.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts'))
      const paths = Object.entries<string | { default: string }>(exports).flatMap(([name, target]) =>
        typeof target === 'string' ? [] : [[name.replace('.', 'rheo'), [source(target.default)]]],
      )
      const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
      const options = { ...compilerOptions, types: ['node'], typeRoots: [join(root, 'node_modules/@types')] }
      mkdirSync(join(directory, 'node_modules'))
      symlinkSync(join(root, 'node_modules', 'avsc'), join(directory, 'node_modules', 'avsc'))
      const tsconfig = { compilerOptions: { ...options, paths: Object.fromEntries(paths) }, files: ['returns.ts'] }
      writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(tsconfig))
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
      await promisify(execFile)(process.execPath, [tsc, '-p', directory])
    }))
})
