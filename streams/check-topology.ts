import { RheoError } from '../schemas/errors.ts'
import type { Topology } from './topology.ts'

/**
 * Throws CONFIG_INVALID for a topology that could not run: two stages of one name or on one topic, a next stage that does not
 * exist, a stage without anything upstream, and stages whose `next` leads back to themselves. Along `next` go watermarks, and
 * a stage that waited for its own would wait for ever; what goes back, goes by `emit.feedback`, which carries none.
 */
export function checkTopology({ scenario, stages, intakeNext }: Topology): void {
  const wrong = (what: string, hint: string): never => {
    throw new RheoError('CONFIG_INVALID', `the topology of "${scenario}": ${what}`, { hint })
  }
  const byName = new Map(stages.map((stage) => [stage.name, stage]))
  if (byName.size < stages.length) wrong('two stages have one name', 'Name each differently.')
  const topics = new Map<string, string>()
  for (const { name, topic } of stages) {
    const other = topics.get(topic)
    if (other !== undefined)
      wrong(`the stages "${other}" and "${name}" read one topic`, 'Each stage has a topic of its own.')
    topics.set(topic, name)
  }
  for (const [from, next] of [
    ['intake', intakeNext] as const,
    ...stages.map((stage) => [stage.name, stage.next] as const),
  ]) {
    for (const to of next) {
      if (!byName.has(to))
        wrong(`"${from}" goes on to "${to}", which is no stage`, `Its stages: ${[...byName.keys()].join(', ')}.`)
    }
  }
  const order = stages.map(({ name }) => name)
  const fed = new Set([...intakeNext, ...stages.flatMap(({ next }) => next)])
  for (const { name, next } of stages) {
    if (next.includes(name)) {
      wrong(
        `the stage "${name}" goes on to itself`,
        'What comes back to a stage goes by emit.feedback, and is no `next`.',
      )
    }
    if (!fed.has(name))
      wrong(`nothing goes on to the stage "${name}"`, 'Name it as the next of a stage, or of the intake.')
  }
  const cycle = findCycle(new Map(stages.map(({ name, next }) => [name, next])))
  if (cycle !== null) {
    wrong(
      `its stages go round in a circle: ${cycle.join(' → ')}`,
      'Send what goes back by emit.feedback, and take it out of `next`.',
    )
  }
  for (const [place, { name, next }] of stages.entries()) {
    const earlier = next.find((to) => order.indexOf(to) < place)
    if (earlier !== undefined)
      wrong(`"${name}" goes on to "${earlier}", which stands before it`, 'List stages as records flow.')
  }
}

/** A circle along `next`, its first stage twice; null: there is none. */
function findCycle(next: ReadonlyMap<string, readonly string[]>): readonly string[] | null {
  const done = new Set<string>()
  const visit = (name: string, path: readonly string[]): readonly string[] | null => {
    const at = path.indexOf(name)
    if (at >= 0) return [...path.slice(at), name]
    if (done.has(name)) return null
    for (const to of next.get(name)!) {
      const found = visit(to, [...path, name])
      if (found !== null) return found
    }
    done.add(name)
    return null
  }
  for (const name of next.keys()) {
    const found = visit(name, [])
    if (found !== null) return found
  }
  return null
}
