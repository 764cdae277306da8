import type { Command } from 'commander'
import { Option } from 'commander'
import { print, printJson } from '../terminal.ts'

const help = `
Each stage reads one topic, keyed by its key; what it says goes on through the log. Labels and new model versions
come back on dotted edges, which carry no watermark.

Examples:
  rheo topology fraud
  rheo topology fraud --format mermaid > flow.mmd`

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
      const topology = (await scenarioOf(name)).topology(options.partitions)
      if (options.json) return printJson(topologyDocument(topology))
      print(options.format === 'mermaid' ? topologyMermaid(topology) : topologyText(topology))
    })
}
