import type { Command } from 'commander'
import { Option } from 'commander'
import type { ModelHosts } from '../../scenarios/define-scenario.ts'
import { print, printJson } from '../terminal.ts'

const help = `
Each stage reads one topic, keyed by its key; what it says goes on through the log. This is the flow of a live run, where
models may be added at any time; a replay without models goes from the features straight to the score.

Examples:
  rheo topology fraud
  rheo topology fraud --format mermaid > flow.mmd`

/** The models of a flow that is never run. */
const drawnOnly: ModelHosts = {
  hostOf() {
    throw new Error('this topology was made to be drawn')
  },
}

export function define(command: Command): void {
  command
    .argument('[scenario]', 'a scenario', 'fraud')
    .addOption(new Option('--format <format>', 'how to draw it').choices(['text', 'mermaid']).default('text'))
    .option('--partitions <n>', 'as it would run with so many partitions', Number, 1)
    .option('--json', 'one JSON document')
    .addHelpText('after', help)
    .action(async (name: string, options: { format: 'text' | 'mermaid'; partitions: number; json?: boolean }) => {
      const { scenarioOf } = await import('../scenario-argument.ts')
      const { topologyDocument, topologyMermaid, topologyText } = await import('../draw-topology.ts')
      const topology = (await scenarioOf(name)).topology(options.partitions, undefined, undefined, drawnOnly)
      if (options.json) return printJson(topologyDocument(topology))
      print(options.format === 'mermaid' ? topologyMermaid(topology) : topologyText(topology))
    })
}
