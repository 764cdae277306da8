import type { Command } from 'commander'
import { wholeNumber } from '../options.ts'
import { addPlaceOptions, type PlaceOptions } from '../place.ts'

export interface DlqOptions extends PlaceOptions {
  readonly limit: number
  readonly dryRun?: boolean
  readonly json?: boolean
}

const examples = `
Examples:
  rheo dlq ls                      how many, why, and where the newest are
  rheo dlq show payments 0:12      the original bytes and the reason
  rheo dlq retry payments          append the originals again, each once`

export function define(command: Command): void {
  command.addHelpText('after', examples)
  addPlaceOptions(
    command.command('ls').description('dead letters by topic and reason').argument('[topic]', 'one topic'),
  )
    .option('--limit <n>', 'newest letters to list', wholeNumber, 20)
    .option('--json', 'one JSON document')
    .action(async (topic: string | undefined, options: DlqOptions) =>
      (await import('../dead-letters.ts')).listDeadLetters(topic, options),
    )
  addPlaceOptions(command.command('show').description('one dead letter with its original bytes'))
    .argument('<topic>', 'the topic that it came from, e.g. payments')
    .argument('<position>', 'partition:offset in the dead-letter topic, as `ls` shows it')
    .option('--json', 'one JSON document, bytes in base64')
    .action(async (topic: string, position: string, options: DlqOptions) =>
      (await import('../dead-letters.ts')).showDeadLetter(topic, position, options),
    )
  addPlaceOptions(command.command('retry').description('append the original records to their topic again'))
    .argument('[topic]', 'one topic (default: all)')
    .option('--dry-run', 'only say how many')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      '\nEvery letter is retried once: how far the retries have come is kept in the log, in the same transaction as the\nrecords. A second call retries only what has failed since.',
    )
    .action(async (topic: string | undefined, options: DlqOptions) =>
      (await import('../dead-letters.ts')).retryDeadLetters(topic, options),
    )
}
