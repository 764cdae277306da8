import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { filesBelow, root, sourceFolders } from './source-files.ts'

const MOST_LINES = 400
const vagueNames = /^(index|utils?|helpers?|common|misc|managers?|services?)(\.test)?\.ts$/
const postponed = /\b(it|test|describe)\.(skip|only|todo)\b/

const sources = [...sourceFolders, 'bench'].flatMap((folder) => filesBelow(folder, ['.ts', '.mjs', '.wat', '.lua']))
const tests = filesBelow('test', ['.ts'])

describe('files', () => {
  it(`have at most ${MOST_LINES} lines, so that each fits in a head`, () => {
    const long = [...sources, ...tests]
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > MOST_LINES)
    expect(long).toEqual([])
  })

  it('are named after what is in them', () => {
    expect([...sources, ...tests].filter(({ path }) => vagueNames.test(basename(path)))).toEqual([])
  })

  it('skip no test and postpone none', () => {
    expect(tests.filter(({ path, code }) => !path.startsWith('test/house/') && postponed.test(code))).toEqual([])
  })
})

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly license?: string; readonly resolved?: string }>
  >
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock

/** For packages that state their licence in a file alone: the first word of it. */
function licenceFile(name: string): string {
  return readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8')
    .trim()
    .split(/\s/)[0]!
}

describe('dependencies', () => {
  it('are locked without the name of a host, so that any registry can serve them', () => {
    const hosted = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined)
    expect(hosted.map(([path]) => path)).toEqual([])
  })

  it('stand in docs/dependencies.md, each with its version and licence', () => {
    const page = readFileSync(join(root, 'docs/dependencies.md'), 'utf8')
    const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })
    const missing = names.filter((name) => {
      const { version, license = licenceFile(name) } = lock.packages[`node_modules/${name}`]!
      return !rows.some((row) => row[1] === name && row[2] === version && row[3] === license && row[4] !== '')
    })
    expect(missing).toEqual([])
  })
})
