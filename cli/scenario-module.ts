import { existsSync, readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Scenario } from '../scenarios/define-scenario.ts'
import { RheoError } from '../schemas/errors.ts'

/** The package: this file is in `cli/` of the sources, or in `dist/cli/` of what is installed. */
const isBuilt = import.meta.url.includes('/dist/cli/')
const root = new URL(isBuilt ? '../../' : '../', import.meta.url)

/** Whether an argument names a file rather than a built-in scenario. */
export function isModulePath(name: string): boolean {
  return /[\\/]/.test(name) || /\.[cm]?[jt]s$/.test(name)
}

/**
 * The default export of a user's module, which `defineScenario` made. What the module imports from `rheo/…` is this very
 * Rheo, whatever else is installed: a scenario and the run loop never come from two versions.
 *
 * Throws INPUT_UNREADABLE for a file that is not there or does not load, CONFIG_INVALID where its default export is no
 * scenario; what `defineScenario` throws goes through.
 */
export async function loadScenario(path: string): Promise<Scenario> {
  const file = resolve(path)
  if (!existsSync(file)) {
    throw new RheoError('INPUT_UNREADABLE', `there is no scenario module ${file}`, {
      hint: 'Give the path of a .ts or .js file whose default export is a scenario.',
    })
  }
  registerHooks({
    resolve: (specifier, context, next) => next(ownModule(specifier) ?? specifier, context),
  })
  let loaded: { readonly default?: unknown }
  try {
    loaded = (await import(pathToFileURL(file).href)) as { readonly default?: unknown }
  } catch (cause) {
    if (cause instanceof RheoError) throw cause
    throw new RheoError('INPUT_UNREADABLE', `the scenario module ${file} does not load: ${(cause as Error).message}`, {
      cause,
      hint: 'Mend it: `node` with this file shows the same error with its place.',
    })
  }
  if (isScenario(loaded.default)) return loaded.default
  throw new RheoError('CONFIG_INVALID', `the default export of ${file} is no scenario`, {
    hint: 'End it with `export default defineScenario({ … })`.',
  })
}

function isScenario(value: unknown): value is Scenario {
  const { topology, featureSet } = (value ?? {}) as Partial<Scenario>
  return typeof topology === 'function' && featureSet !== undefined
}

/** The address of `rheo/…` in this package, by its own `exports`; null for any other specifier. */
function ownModule(specifier: string): string | null {
  if (!specifier.startsWith('rheo/')) return null
  const wanted = `.${specifier.slice('rheo'.length)}`
  for (const [name, target] of Object.entries(packageExports())) {
    const [before, after] = name.split('*') as [string, string?]
    if (after === undefined ? name !== wanted : !wanted.startsWith(before)) continue
    const part = after === undefined ? '' : wanted.slice(before.length)
    const built = (typeof target === 'string' ? target : target.default).replace('*', part)
    return new URL(isBuilt ? built : built.replace(/^\.\/dist\/(.*)\.js$/, './$1.ts'), root).href
  }
  return null
}

type PackageExports = Readonly<Record<string, string | { readonly default: string }>>

function packageExports(): PackageExports {
  const text = readFileSync(new URL('package.json', root), 'utf8')
  return (JSON.parse(text) as { readonly exports: PackageExports }).exports
}
