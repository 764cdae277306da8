import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { addPlaceOptions, type PlaceOptions, placeOf } from '../place.ts'
import { print, printJson, safe, styled } from '../terminal.ts'

const doctorHelp = `
Every check that does not pass says its cure. Ends with 1 when one failed; warnings pass. With servers it looks at
them as a worker would: it also writes, one small key in Redis and one transactional id in Kafka, always the same. It
makes no topics and registers no schemas.

Examples:
  rheo doctor
  rheo doctor --kafka 127.0.0.1:19092 --redis 127.0.0.1:16379 --registry http://127.0.0.1:18081/apis/ccompat/v7`

export function define(command: Command): void {
  addPlaceOptions(command, ['partitions'])
    .option('--json', 'one JSON document')
    .addHelpText('after', doctorHelp)
    .action(async (options: PlaceOptions & { readonly json?: boolean }) => {
      const place = placeOf(options)
      const { examine } = await import('../examine.ts')
      const findings = await examine(place)
      const failed = findings.filter(({ result }) => result === 'failed').length
      if (failed > 0) process.exitCode = exitCodes.failed
      if (options.json) return printJson({ healthy: failed === 0, findings })
      for (const { check, result, found, cure } of findings) {
        const mark = { ok: styled('green', '✓'), warning: styled('yellow', '!'), failed: styled('red', '✗') }[result]
        print(`${mark} ${check.padEnd(16)} ${safe(found)}`)
        if (cure !== null) print(`  ${''.padEnd(16)} cure: ${safe(cure)}`)
      }
      print(failed === 0 ? '\nAll is well.' : `\n${failed} of ${findings.length} checks failed.`)
    })
}
