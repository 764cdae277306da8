import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command line in `directory`, without the caller's own settings. */
export function rheo(
  directory: string,
  args: readonly string[],
  more: { stdin?: string; env?: Record<string, string> } = {},
) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(RHEO_|FORCE_COLOR|NO_COLOR)/.test(name)),
  )
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: directory, env: { ...clean, ...more.env } })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
    child.stdin.end(more.stdin ?? '')
  })
}

/** A folder of its own, removed afterwards. */
export async function inFolder(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rheo-cli-'))
  try {
    await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
