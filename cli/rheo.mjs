#!/usr/bin/env node
// The `rheo` command. Plain JavaScript that any Node can read, because it finds the Node 24 that the rest needs.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED_MAJOR = 24

if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) await start()
else restartWithNewerNode()

/** Node strips types from our sources, but refuses to below node_modules: there the built files run. */
async function start() {
  const here = dirname(fileURLToPath(import.meta.url))
  const isInstalled = /[\\/]node_modules[\\/]/.test(here)
  await import(isInstalled ? '../dist/cli/main.js' : './main.ts')
}

function restartWithNewerNode() {
  const node = newerNode()
  if (node === null || process.env.RHEO_RESTARTED === '1') {
    process.stderr.write(
      `rheo: this is Node ${process.versions.node}; Rheo needs Node ${NEEDED_MAJOR} or newer\n` +
        `  next: run \`npm install node@${NEEDED_MAJOR}\` here, or get Node ${NEEDED_MAJOR} from https://nodejs.org\n`,
    )
    process.exitCode = 1
    return
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, RHEO_RESTARTED: '1' },
  })
  // The terminal sends Ctrl-C to both: this process waits for the child to finish its work.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
  })
}

/** The binary that the npm package `node` brings along; null where it is not installed. */
function newerNode() {
  try {
    const packageFile = createRequire(import.meta.url).resolve('node/package.json')
    const binary = join(dirname(packageFile), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(binary) ? binary : null
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null
    throw error
  }
}
