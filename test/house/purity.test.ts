import { describe, expect, it } from 'vitest'
import { filesBelow, importsOf, withoutComments } from './source-files.ts'

/** Whatever makes a result depend on more than state and entries. */
const impure: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['reads the clock', /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)|\bperformance\.|\bhrtime\b/],
  ['draws at random', /\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b|\brandomBytes\b/],
  ['waits', /\bset(Timeout|Interval|Immediate)\s*\(|\bqueueMicrotask\s*\(|\bawait\s|\basync\s/],
  ['talks to the world', /\bprocess\.|\bconsole\.|\bfetch\s*\(/],
]

/** A tool that is run by hand, not a processor. */
const tools = ['processors/learners/build-simd.ts']
const processors = filesBelow('processors', ['.ts']).filter(({ path }) => !tools.includes(path))

describe('processors', () => {
  it.each(impure)('contain nothing that %s', (_what, pattern) => {
    expect(processors.filter(({ code }) => pattern.test(code)).map(({ path }) => path)).toEqual([])
  })

  it('import nothing of Node', () => {
    const wrong = processors.filter((file) => importsOf(file).some((specifier) => specifier.startsWith('node:')))
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  it('are judged by their code, not by their comments', () => {
    const text = '/** Never Date.now(). */\nconst a = 1 // Math.random()\nconst b = new Date()\n'
    const code = withoutComments(text)
    expect(impure.filter(([, pattern]) => pattern.test(code)).map(([what]) => what)).toEqual(['reads the clock'])
    expect(processors.length).toBeGreaterThan(20)
  })
})
