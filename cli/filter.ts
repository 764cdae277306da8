import { RheoError } from '../schemas/errors.ts'

/** Whether an event passes. */
export type Filter = (event: unknown) => boolean

/**
 * Compiles a filter over an event's fields:
 *
 *     filter     = and ("||" and)*
 *     and        = term ("&&" term)*
 *     term       = "!" term | "(" filter ")" | path operator value
 *     operator   = "==" | "!=" | "<" | "<=" | ">" | ">=" | "~" (contains the text)
 *     path       = name ("." name)*          value = JSON text, number, true, false, null
 *
 * A field that is missing equals null and is neither smaller nor greater than anything; values of different types are
 * never equal. Throws USAGE with the place of the mistake.
 */
export function compileFilter(text: string): Filter {
  const tokens = tokenize(text)
  let at = 0

  const next = (): Token => tokens[at] ?? { kind: 'end', text: '', column: text.length + 1 }
  const accept = (symbol: string): boolean => {
    if (next().kind !== 'symbol' || next().text !== symbol) return false
    at++
    return true
  }

  function either(): Filter {
    const terms = [both()]
    while (accept('||')) terms.push(both())
    return terms.length === 1 ? terms[0]! : (event) => terms.some((term) => term(event))
  }

  function both(): Filter {
    const terms = [term()]
    while (accept('&&')) terms.push(term())
    return terms.length === 1 ? terms[0]! : (event) => terms.every((each) => each(event))
  }

  function term(): Filter {
    if (accept('!')) {
      const inner = term()
      return (event) => !inner(event)
    }
    if (accept('(')) {
      const inner = either()
      if (!accept(')')) throw mistake(text, next(), 'a closing parenthesis')
      return inner
    }
    const path = next()
    if (path.kind !== 'word') throw mistake(text, path, 'a field name')
    at++
    const operator = next()
    const compare = operator.kind === 'symbol' ? comparisons.get(operator.text) : undefined
    if (compare === undefined) throw mistake(text, operator, 'one of == != < <= > >= ~')
    at++
    const literal = next()
    const value = literalOf(text, literal)
    at++
    const names = path.text.split('.')
    return (event) => compare(fieldOf(event, names), value)
  }

  const filter = either()
  if (next().kind !== 'end') throw mistake(text, next(), '&& or ||')
  return filter
}

type Literal = string | number | boolean | null

const comparisons: ReadonlyMap<string, (field: unknown, value: Literal) => boolean> = new Map([
  ['==', (field, value) => (field ?? null) === value],
  ['!=', (field, value) => (field ?? null) !== value],
  ['<', ordered((field, value) => field < value)],
  ['<=', ordered((field, value) => field <= value)],
  ['>', ordered((field, value) => field > value)],
  ['>=', ordered((field, value) => field >= value)],
  ['~', (field, value) => typeof field === 'string' && typeof value === 'string' && field.includes(value)],
] satisfies [string, (field: unknown, value: Literal) => boolean][])

/** Compares numbers with numbers and texts with texts; anything else is neither smaller nor greater. */
function ordered(compare: (field: string | number, value: string | number) => boolean) {
  return (field: unknown, value: Literal): boolean => {
    if (typeof field === 'number' && typeof value === 'number') return compare(field, value)
    return typeof field === 'string' && typeof value === 'string' && compare(field, value)
  }
}

function fieldOf(event: unknown, names: readonly string[]): unknown {
  let value = event
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

interface Token {
  readonly kind: 'word' | 'text' | 'number' | 'symbol' | 'end'
  readonly text: string
  readonly column: number
}

const tokenPattern =
  /\s*(?:(?<text>"(?:[^"\\]|\\.)*")|(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<word>[\p{L}_$][\p{L}\p{N}_$.-]*)|(?<symbol>==|!=|<=|>=|&&|\|\||[<>~!()]))/uy

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  while (text.slice(tokenPattern.lastIndex).trim() !== '') {
    const start = tokenPattern.lastIndex
    const match = tokenPattern.exec(text)
    if (match === null) {
      throw mistake(
        text,
        { kind: 'end', text: text.slice(start).trim()[0]!, column: start + 1 },
        'a field, a comparison or a value',
      )
    }
    for (const kind of ['text', 'number', 'word', 'symbol'] as const) {
      const found = match.groups?.[kind]
      if (found !== undefined) tokens.push({ kind, text: found, column: tokenPattern.lastIndex - found.length + 1 })
    }
  }
  return tokens
}

function literalOf(text: string, token: Token): Literal {
  if (token.kind === 'number') return Number(token.text)
  if (token.kind === 'word' && token.text === 'true') return true
  if (token.kind === 'word' && token.text === 'false') return false
  if (token.kind === 'word' && token.text === 'null') return null
  if (token.kind === 'text') {
    try {
      return JSON.parse(token.text) as string
    } catch {
      throw mistake(text, token, 'a text as in JSON')
    }
  }
  throw mistake(text, token, 'a value: "text", a number, true, false or null')
}

function mistake(text: string, token: Token, expected: string): RheoError {
  const found = token.text === '' ? 'the end' : `\`${token.text}\``
  return new RheoError(
    'USAGE',
    `the filter \`${text}\` should have ${expected} at column ${token.column}, where ${found} stands`,
    {
      hint: `Write comparisons of fields, for example --filter 'decision == "block" && probability > 0.9'.`,
    },
  )
}
