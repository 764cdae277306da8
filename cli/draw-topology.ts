import type { Topology } from '../streams/topology.ts'

/** The flow as data: what `rheo topology --json` prints. */
export function topologyDocument(topology: Topology) {
  return {
    scenario: topology.scenario,
    partitions: topology.partitions,
    sources: topology.sources.map(({ kind, topic, watermark }) => ({ kind, topic, watermark })),
    intakeNext: topology.intakeNext,
    stages: topology.stages.map(({ name, topic, tasks, next }) => ({ name, topic, tasks, next })),
    outputs: topology.outputs.map(({ short, topic, type }) => ({ name: short, topic, type })),
    topics: topology.topics,
  }
}

/** The flow for people: from top to bottom, the topic of each part beside it. */
export function topologyText(topology: Topology): string {
  const { scenario, partitions, sources, stages, outputs } = topology
  const names = [
    ...sources.map(({ short }) => short),
    ...stages.map(({ name }) => name),
    ...outputs.map(({ short }) => short),
  ]
  const width = Math.max(...names.map(({ length }) => length)) + 2
  const row = (name: string, rest: string): string => `  ${name.padEnd(width)}${rest}`
  const lines = [`${scenario}: ${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`, '', 'reads']
  for (const { short, topic, watermark } of sources) {
    lines.push(row(short, `${topic}${watermark === 'advances' ? '' : '   (comes late; moves no watermark)'}`))
  }
  lines.push('', `intake → ${topology.intakeNext.join(', ')}`, '', 'stages')
  for (const { name, topic, tasks, next } of stages) {
    const goesTo = next.length > 0 ? `→ ${next.join(', ')}` : ''
    lines.push(row(name, [topic, goesTo, tasks === 'first' ? '(one task in all)' : ''].filter(Boolean).join('   ')))
  }
  lines.push('', 'writes')
  for (const { short, topic, type } of outputs) lines.push(row(short, `${topic}   ${type}`))
  return lines.join('\n')
}

/** The flow as a Mermaid flowchart. */
export function topologyMermaid(topology: Topology): string {
  const lines = ['flowchart LR']
  for (const { short, topic } of topology.sources) lines.push(`  ${id('in', short)}[/"${topic}"/] --> intake`)
  lines.push('  intake(["intake"])')
  for (const next of topology.intakeNext) lines.push(`  intake --> ${id('stage', next)}`)
  for (const { name } of topology.stages) lines.push(`  ${id('stage', name)}["${name}"]`)
  for (const { name, next } of topology.stages) {
    for (const to of next) lines.push(`  ${id('stage', name)} --> ${id('stage', to)}`)
  }
  lines.push('  subgraph outputs')
  for (const { short, topic } of topology.outputs) lines.push(`    ${id('out', short)}[/"${topic}"/]`)
  lines.push('  end')
  const scoring = topology.stages.findLast(({ tasks }) => tasks === 'every')
  if (scoring !== undefined) lines.push(`  ${id('stage', scoring.name)} --> outputs`)
  return lines.join('\n')
}

function id(part: string, name: string): string {
  return `${part}_${name.replace(/[^A-Za-z0-9]/g, '_')}`
}
