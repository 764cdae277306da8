/** `npm run bench [NAME] [ARGUMENTS]`: one benchmark, or the list. Each also runs by itself: `node bench/NAME.ts`. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = import.meta.dirname
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -3))
const [name, ...rest] = process.argv.slice(2)

if (name === undefined || !names.includes(name)) {
  console.log('npm run bench NAME [-- ARGUMENTS]\n')
  for (const known of names) console.log(`  ${known.padEnd(12)} ${firstLine(known)}`)
  process.exitCode = name === undefined ? 0 : 2
} else {
  const { status } = spawnSync(process.execPath, [join(folder, `${name}.ts`), ...rest], { stdio: 'inherit' })
  process.exitCode = status ?? 1
}

/** What the file says about itself. */
function firstLine(known: string): string {
  const comment = /\/\*\*\s*\*?\s*([^\n]*)|^\/\/ ([^\n]*)/m.exec(readFileSync(join(folder, `${known}.ts`), 'utf8'))
  return (comment?.[1] ?? comment?.[2] ?? '').replace(/\*\/$/, '').trim()
}
