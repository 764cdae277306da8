import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

/** The folders of the house, by what they may import of ours: only folders further down the list. */
export const sourceFolders = ['cli', 'scenarios', 'streams', 'processors', 'gpu', 'graph', 'schemas'] as const

export interface SourceFile {
  /** From the repository's root, with slashes: `streams/packing.ts`. */
  readonly path: string
  readonly text: string
  /** The text without comments. */
  readonly code: string
}

/** Every file below `folder` with one of these endings; none where the folder does not exist yet. */
export function filesBelow(folder: string, endings: readonly string[]): readonly SourceFile[] {
  const entries = listed(join(root, folder))
  return entries
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .sort()
    .map((path) => {
      const text = readFileSync(path, 'utf8')
      return { path: relative(root, path).replaceAll('\\', '/'), text, code: withoutComments(text) }
    })
}

/** What a file imports, statically or by `import()`: repository paths for our own files, else the bare specifier. */
export function importsOf(file: SourceFile): readonly string[] {
  const statements = /^(?:import|export|\})(?:[^'"\n]*\bfrom)? ['"]([^'"]+)['"]/gm
  const calls = /\bimport\(\s*['"]([^'"]+)['"]/g
  const specifiers = [...file.code.matchAll(statements), ...file.code.matchAll(calls)].map((match) => match[1]!)
  return specifiers.map((specifier) =>
    specifier.startsWith('.')
      ? relative(root, resolve(root, dirname(file.path), specifier)).replaceAll('\\', '/')
      : specifier,
  )
}

/** `@scope/name/deep` → `@scope/name`; `node:fs/promises` → `node:fs`. */
export function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}

/** Good enough for rules about words: a `//` inside a string hides the rest of its line. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:])\/\/.*$/gm, '$1')
}

function listed(folder: string): string[] {
  let entries: ReturnType<typeof readFolder>
  try {
    entries = readFolder(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return entries.flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? listed(path) : [path]
  })
}

function readFolder(folder: string) {
  return readdirSync(folder, { withFileTypes: true })
}
