import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inFolder, rheo } from './rheo.ts'

const REPLAY = ['replay', 'fraud', '--payments', '20', '--days', '2']

describe('a file that a command is to write', () => {
  it('gets its folder where that is missing', () =>
    inFolder(async (directory) => {
      const files = ['--output', 'new/s.ndjson', '--report', 'newer/r.html', '--state', 's']
      expect((await rheo(directory, [...REPLAY, ...files])).code).toBe(0)
      const exported = await rheo(directory, ['export', 'features', '--state', 's', '--output', 'newest/x.csv'])
      expect(exported.code).toBe(0)
      for (const file of ['new/s.ndjson', 'newer/r.html', 'newest/x.csv']) {
        expect(existsSync(join(directory, file))).toBe(true)
      }
    }))

  it('is refused in words where it is a folder, or its folder is a file', () =>
    inFolder(async (directory) => {
      mkdirSync(join(directory, 'folder.csv'))
      writeFileSync(join(directory, 'file'), '')
      await rheo(directory, [...REPLAY, '--state', 's'])
      const attempts = [
        ['export', 'features', '--state', 's', '--output', 'folder.csv'],
        ['export', 'features', '--state', 's', '--output', 'file/x.csv'],
        [...REPLAY, '--report', 'folder.csv'],
        [...REPLAY, '--output', 'file/s.ndjson'],
      ]
      for (const args of attempts) {
        const { code, stderr } = await rheo(directory, args)
        expect(code).toBe(2)
        expect(stderr).toMatch(/^rheo: (folder\.csv is a folder|file\/\S+ cannot be written) \(USAGE\)/)
        expect(stderr).toContain('next:')
      }
    }))
})
