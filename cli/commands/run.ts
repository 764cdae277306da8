import type { Command } from 'commander'
import { addSettingOptions } from '../place.ts'
import type { RunFlags } from '../run-scenario.ts'

const help = `
A worker: scores what is appended until SIGTERM or Ctrl-C, then finishes what it has read, flushes and ends; a second
signal ends at once. Logs go to stderr; /metrics, /livez and /readyz answer on --http-port.

With --kafka and --redis several workers share the partitions: start as many as you like, wherever you like; when one
leaves or dies, the others go on where it stopped. Without --kafka the log is a file in --state, and one worker runs all.
Servers may come up later: a worker says what it waits for. docs/operations.md has the settings, metrics and failures.

Examples:
  rheo run fraud --kafka 127.0.0.1:19092 --redis 127.0.0.1:16379 --registry http://127.0.0.1:18081/apis/ccompat/v7
  RHEO_KAFKA=… RHEO_KAFKA_USERNAME=app RHEO_KAFKA_PASSWORD_FILE=/run/secrets/kafka rheo run fraud --redis rediss://…
  rheo run fraud                                      on this machine, nothing else needed`

export function define(command: Command): void {
  command
    .argument('[scenario]', 'a scenario (default: the setting, fraud)')
    .option('--state <dir>', 'folder of embedded log and state (default: .rheo/<scenario>)')
    .option('--batch-records <n>', 'records folded per commit (default: 1000)')
    .option('--provider <name>', 'what models run on: cpu, auto, webgpu, cuda (default: cpu)')
    .option('--dense', 'train a neural network on the way, in one of the workers that say so, and let it score too')
  addSettingOptions(command.optionsGroup('Kafka:'), ['Kafka'])
  addSettingOptions(command.optionsGroup('Redis:'), ['Redis'])
  addSettingOptions(command.optionsGroup('Schema registry:'), ['Schema registry'])
  addSettingOptions(command.optionsGroup('Running:'), ['Running'])
  command.addHelpText('after', help).action(async (name: string | undefined, flags: RunFlags) => {
    const { runScenario } = await import('../run-scenario.ts')
    await runScenario(name, flags)
  })
}
