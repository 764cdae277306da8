import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { exitCodes, exitCodesHelp } from './exit-codes.ts'
import { collectBySize } from './garbage.ts'
import { reportFailure } from './report-failure.ts'
import { styled, styledError } from './terminal.ts'

interface Entry {
  readonly name: string
  readonly summary: string
  /** Loads the command's arguments, options and action. Only the command that is called is loaded. */
  readonly load: () => Promise<{ define(command: Command): void }>
}

const groups: readonly { readonly title: string; readonly commands: readonly Entry[] }[] = [
  {
    title: 'Run a scenario',
    commands: [
      { name: 'replay', summary: 'score a history as if it happened now', load: () => import('./commands/replay.ts') },
      {
        name: 'dev',
        summary: 'live in the terminal, with generated payments',
        load: () => import('./commands/dev.ts'),
      },
      {
        name: 'run',
        summary: 'a worker: embedded, or several on Kafka and Redis',
        load: () => import('./commands/run.ts'),
      },
    ],
  },
  {
    title: 'Look and feed',
    commands: [
      { name: 'produce', summary: 'append events to a topic', load: () => import('./commands/produce.ts') },
      { name: 'subscribe', summary: 'show the events of a topic', load: () => import('./commands/subscribe.ts') },
      { name: 'export', summary: 'features with labels, to train a model', load: () => import('./commands/export.ts') },
      { name: 'explain', summary: 'a score, back to its events', load: () => import('./commands/explain.ts') },
    ],
  },
  {
    title: 'Operate',
    commands: [
      { name: 'model', summary: 'add, list and withdraw ONNX models', load: () => import('./commands/model.ts') },
      { name: 'dlq', summary: 'look at dead letters, retry them', load: () => import('./commands/dlq.ts') },
      { name: 'state', summary: 'read the state of one entity', load: () => import('./commands/state.ts') },
      { name: 'topology', summary: 'how a scenario flows', load: () => import('./commands/topology.ts') },
      { name: 'config', summary: 'the settings, and their origin', load: () => import('./commands/config.ts') },
      { name: 'doctor', summary: 'is this machine fit to run Rheo', load: () => import('./commands/doctor.ts') },
    ],
  },
]

const examples = `Examples:
  rheo replay fraud --demo                     100,000 payments, two models side by side, in a minute
  rheo subscribe scores --filter 'decision == "block"'
  rheo explain <paymentId>                     why a payment got its score`

collectBySize()
process.stdout.on('error', leaveQuietly)
process.exitCode = await run(withHelpOf(process.argv.slice(2)))

/** `help dlq ls` as `dlq ls --help`: commander's own help command knows no subcommands. */
function withHelpOf(args: readonly string[]): readonly string[] {
  return args[0] === 'help' && args.length > 2 ? [...args.slice(1), '--help'] : args
}

/** Runs one command line and returns the exit code. */
async function run(args: readonly string[]): Promise<number> {
  const program = new Command('rheo')
    .description('Decisions that keep learning: features, models and scores from a log of events.')
    .usage('<command> [options]')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'explain a command')
    .addHelpText('after', `\n${examples}\n\n${exitCodesHelp}\n\nNO_COLOR=1 turns colours off.`)
  prepare(program)
  const called = args[0] === 'help' ? args[1] : args[0]
  for (const { title, commands } of groups) {
    program.commandsGroup(`${title}:`)
    for (const entry of commands) {
      const command = prepare(program.command(entry.name).summary(entry.summary).description(entry.summary))
      if (entry.name === called) (await entry.load()).define(command)
    }
  }
  program.commandsGroup('Help:')
  try {
    if (args.length === 0) program.outputHelp()
    else await program.parseAsync(await named(args), { from: 'user' })
    return typeof process.exitCode === 'number' ? process.exitCode : exitCodes.ok
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    return reportFailure(error)
  }
}

/** Loads nothing where no scenario is named. */
async function named(args: readonly string[]): Promise<readonly string[]> {
  if (!args.some((arg) => arg.startsWith('--scenario'))) return args
  return (await import('./scenario-argument.ts')).withScenarioName(args)
}

/** Errors are thrown, not exited on; help has bold titles. Subcommands inherit it. */
function prepare(command: Command): Command {
  return command
    .exitOverride()
    .showHelpAfterError(`  next: rheo ${command.name() === 'rheo' ? '' : `${command.name()} `}--help`)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, `${styledError('red', 'rheo:')}`)) })
    .configureHelp({ styleTitle: (title) => styled('bold', title) })
}

function version(): string {
  const file = new URL(
    import.meta.url.includes('/dist/cli/') ? '../../package.json' : '../package.json',
    import.meta.url,
  )
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** `rheo subscribe … | head`: who reads has had enough. */
function leaveQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok)
  throw error
}
