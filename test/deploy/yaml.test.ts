import { expect, test } from 'vitest'
import { parseYaml } from './yaml.ts'

test('maps, sequences, scalars, comments and documents', () => {
  const text = [
    '# a comment',
    'a: 1 # another',
    'b:',
    '  c: "x: # y"',
    "  d: 'it''s'",
    '  e:',
    'list:',
    '- one',
    '- k: v',
    '  l:',
    '    - deep',
    '- [a, "b, c", d]',
    'last: x#y',
    '---',
    'next: null',
  ].join('\n')
  expect(parseYaml(text)).toEqual([
    {
      a: '1',
      b: { c: 'x: # y', d: "it's", e: null },
      list: ['one', { k: 'v', l: ['deep'] }, ['a', 'b, c', 'd']],
      last: 'x#y',
    },
    { next: null },
  ])
})

test.each([
  'a: 1\na: 2',
  'a:\n    b: 1\n  c: 2',
  'a: &anchor x',
  'a: |\n  text',
  'just text',
  'a: {b: c}',
  'a:\n\t- x',
])('what it does not know is refused: %j', (text) => {
  expect(() => parseYaml(text)).toThrow(SyntaxError)
})
