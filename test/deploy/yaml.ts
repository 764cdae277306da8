/**
 * Reads the part of YAML 1.2 that the files of `deploy/` use: block maps and sequences, flow sequences of scalars,
 * plain and quoted scalars, comments, several documents. Throws where a line is anything else, so that nothing is
 * read otherwise than a full parser would. Plain scalars stay strings, except null.
 */
export type Yaml = string | null | readonly Yaml[] | { readonly [key: string]: Yaml }

interface Line {
  readonly number: number
  readonly indent: number
  readonly text: string
}

export function parseYaml(source: string): readonly Yaml[] {
  return source.split(/^---$/m).map((document) => {
    const lines = document.split('\n').flatMap((line, i): Line[] => {
      if (line.includes('\t')) throw new SyntaxError(`line ${i + 1} has a tab`)
      const text = withoutComment(line).trimEnd()
      return text.trim() === '' ? [] : [{ number: i + 1, indent: text.search(/\S/), text: text.trim() }]
    })
    const reader = { lines, at: 0 }
    const value = block(reader, lines[0]?.indent ?? 0)
    if (reader.at < lines.length) throw wrong(lines[reader.at]!, 'stands at no indentation of its own')
    return value
  })
}

interface Reader {
  readonly lines: readonly Line[]
  at: number
}

function block(reader: Reader, indent: number): Yaml {
  const first = reader.lines[reader.at]
  if (first === undefined || first.indent < indent) return null
  return first.text.startsWith('- ') || first.text === '-' ? sequence(reader, first.indent) : map(reader, first.indent)
}

function sequence(reader: Reader, indent: number): Yaml {
  const items: Yaml[] = []
  for (let line = reader.lines[reader.at]; line?.indent === indent && /^-( |$)/.test(line.text); ) {
    const rest = line.text.slice(1).trimStart()
    if (/^[\w./-]+:( |$)/.test(rest)) {
      // A map that begins behind its dash: read as if it stood on a line of its own.
      const inner = { ...line, indent: indent + (line.text.length - rest.length), text: rest }
      const lines = [...reader.lines]
      lines[reader.at] = inner
      const nested = { lines, at: reader.at }
      items.push(map(nested, inner.indent))
      reader.at = nested.at
    } else {
      items.push(scalar(rest, line))
      reader.at++
    }
    line = reader.lines[reader.at]
  }
  return items
}

function map(reader: Reader, indent: number): Yaml {
  const entries: Record<string, Yaml> = {}
  for (let line = reader.lines[reader.at]; line?.indent === indent && !/^-( |$)/.test(line.text); ) {
    const match = /^([\w./-]+|"[^"]+"):(?: +(.+))?$/.exec(line.text)
    if (match === null) throw wrong(line, 'is no entry of a map')
    const key = match[1]!.replaceAll('"', '')
    if (Object.hasOwn(entries, key)) throw wrong(line, 'says a key again')
    reader.at++
    const next = reader.lines[reader.at]
    const isNested =
      next !== undefined && (next.indent > indent || (next.indent === indent && /^-( |$)/.test(next.text)))
    if (match[2] !== undefined) entries[key] = scalar(match[2], line)
    else entries[key] = isNested ? block(reader, next.indent) : null
    line = reader.lines[reader.at]
  }
  const left = reader.lines[reader.at]
  if (left !== undefined && left.indent > indent) throw wrong(left, 'stands too far in')
  return entries
}

function scalar(text: string, line: Line): Yaml {
  if (text.startsWith('[')) {
    if (!text.endsWith(']')) throw wrong(line, 'has an open bracket')
    return [...text.slice(1, -1).matchAll(/\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^,"'[\]{}]+)\s*(?:,|$)/g)].map((item) =>
      scalar(item[1]!.trim(), line),
    )
  }
  if (text.startsWith('"')) return JSON.parse(text) as string
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'")
  if (/^[&*!|>%@`{]/.test(text) || /: | #/.test(text)) throw wrong(line, 'is YAML that this reader does not know')
  return /^(null|~)$/.test(text) ? null : text
}

function withoutComment(line: string): string {
  return line.replace(/^((?:[^"'#]|"(?:[^"\\]|\\.)*"|'[^']*'|(?<=\S)#)*)\s#.*$|^\s*#.*$/, '$1')
}

function wrong(line: Line, what: string): SyntaxError {
  return new SyntaxError(`line ${line.number} ${what}: ${line.text}`)
}
