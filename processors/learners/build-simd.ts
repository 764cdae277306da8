/**
 * Compiles `ftrl-simd.wat` into `ftrl-simd-bytes.ts`: `node processors/learners/build-simd.ts`. The same source gives
 * the same bytes; a test compares them.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import loadWabt from 'wabt'

const source = new URL('./ftrl-simd.wat', import.meta.url)
const target = new URL('./ftrl-simd-bytes.ts', import.meta.url)

/** The compiled kernel as the text of a TypeScript module. */
export async function compileSimdModule(): Promise<string> {
  const wabt = await loadWabt()
  const parsed = wabt.parseWat('ftrl-simd.wat', readFileSync(source, 'utf8'), { simd: true })
  try {
    const { buffer } = parsed.toBinary({ canonicalize_lebs: true, write_debug_names: false })
    const lines =
      Buffer.from(buffer)
        .toString('base64')
        .match(/.{1,100}/g) ?? []
    return [
      '/** `ftrl-simd.wat`, compiled by `build-simd.ts`: base64 of the WebAssembly module. Do not edit. */',
      'export const FTRL_SIMD_BASE64 =',
      lines.map((line, i) => `  '${line}'${i < lines.length - 1 ? ' +' : ''}`).join('\n'),
      '',
    ].join('\n')
  } finally {
    parsed.destroy()
  }
}

if (import.meta.main) {
  writeFileSync(target, await compileSimdModule())
  console.log('wrote processors/learners/ftrl-simd-bytes.ts')
}
