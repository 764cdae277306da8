import type { Scenario } from '../scenarios/define-scenario.ts'
import { RheoError } from '../schemas/errors.ts'
import { modelTopic } from '../schemas/topics.ts'
import { withChangelog } from '../streams/changelog.ts'
import type { EventLog, TopicSpec } from '../streams/event-log/event-log.ts'
import { openLog, openState, topicsNotRegistered } from './connections.ts'
import type { Finding } from './examine.ts'
import { modelsNotRun } from './models-not-run.ts'
import type { Place } from './place.ts'
import { redisAddresses, registryAddress } from './server-options.ts'
import { environmentName } from './setting-list.ts'

/** What doctor acquires: one small key in Redis and one transactional id in Kafka, always the same. */
const PROBE = 'rheo-doctor'

/** What answers later than that is no Kafka, or one that hangs. */
const ANSWER_MS = 5_000

const SEE_LOG = 'The log of the server says more.'
/** As many topics as a line can name. */
const MOST_NAMES = 3

export type Check = readonly [name: string, look: () => Promise<Finding | readonly Finding[]>]

/**
 * Looks at the servers that the settings name, as a worker would use them: reads, and writes as its user. The findings
 * of a server that cannot be reached are one.
 */
export function serverChecks(place: Place, scenario: Scenario): readonly Check[] {
  const { kafka, redis, registry } = place.settings
  const checks: Check[] = []
  const add = (name: string, setting: string, look: () => Promise<Finding | readonly Finding[]>): unknown =>
    checks.push([name, () => look().catch((error: unknown) => failed(name, setting, error))])
  if (kafka !== null) add('Kafka', 'kafka', () => examineKafka(place, scenario))
  if (kafka !== null && redis === null) add('Redis', 'redis', async () => noSharedState())
  if (redis !== null) add('Redis', 'redis', () => examineRedis(place))
  if (registry !== null) add('schema registry', 'registry', () => examineRegistry(place, scenario))
  return checks
}

function failed(check: string, setting: string, error: unknown): Finding {
  if (!(error instanceof RheoError)) {
    const cure = `Check the address in --${setting} (${environmentName(setting)}); if it is right, please report this.`
    return { check, result: 'failed', found: error instanceof Error ? error.message : String(error), cure }
  }
  const isAway = /_UNAVAILABLE$/.test(error.code)
  const cure = isAway ? `${error.hint} The address stands in --${setting} (${environmentName(setting)}).` : error.hint
  return { check, result: 'failed', found: `${error.message} (${error.code})`, cure: cure ?? SEE_LOG }
}

async function examineKafka(place: Place, scenario: Scenario): Promise<readonly Finding[]> {
  const log = await openLog(place, { requestTimeoutMs: ANSWER_MS })
  try {
    const present = await log.topics()
    const reached = ok('Kafka', `${place.settings.kafka!.join(', ')} answers, ${present.size} topics`)
    return [reached, ...topicFindings(place, scenario, present), await examineTransactions(log)]
  } finally {
    await log.close()
  }
}

/** Fencing by a transactional id is what keeps scores from being doubled. */
async function examineTransactions(log: EventLog): Promise<Finding> {
  await log.acquire(PROBE, PROBE)
  return ok('transactions', 'this user may begin them')
}

function topicFindings(
  { settings }: Place,
  scenario: Scenario,
  present: ReadonlyMap<string, TopicSpec>,
): readonly Finding[] {
  const input = present.get(scenario.event.topic.name)
  const partitions = settings.partitions ?? input?.partitions ?? scenario.event.topic.partitions
  const wanted = withChangelog(scenario.topology(partitions, undefined, undefined, modelsNotRun)).topics
  const missing = wanted.filter(({ name }) => !present.has(name))
  const wrong = wanted.filter(({ name, partitions: number }) => {
    const found = present.get(name)
    return found !== undefined && found.partitions !== number
  })
  if (wrong.length > 0) {
    const list = wrong.map(({ name, partitions: number }) => {
      return `${name} has ${present.get(name)!.partitions} partitions instead of ${number}`
    })
    const cure =
      settings.partitions === null
        ? `Make them anew with ${partitions} partitions each: a key must be in the same partition of every topic.`
        : `Run with --partitions ${input?.partitions ?? partitions}, or make the topics anew with ${partitions} each.`
    return [{ check: 'topics', result: 'failed', found: shortened(list), cure }]
  }
  if (input !== undefined && input.partitions === 1) {
    const cure = 'One worker does all the work. To share it, make the topics anew with more: rheo run --partitions 4.'
    return [{ check: 'topics', result: 'warning', found: `${input.name} has 1 partition`, cure }]
  }
  if (missing.length === wanted.length) return [ok('topics', 'none is there yet; the first rheo run makes them')]
  if (missing.length === 0) return [ok('topics', `all ${wanted.length} are there, ${partitions} partitions`)]
  const names = shortened(missing.map(({ name }) => name))
  const cure = 'rheo run makes them; its user needs the right to (ACL: Create on the topics).'
  return [{ check: 'topics', result: 'warning', found: `missing: ${names}`, cure }]
}

async function examineRedis(place: Place): Promise<Finding> {
  const store = await openState(place)
  try {
    await store.acquire(PROBE)
    return ok('Redis', `${redisAddresses(place.settings)} answers, keeps what it is given, and this user may write`)
  } finally {
    await store.close()
  }
}

function shortened(list: readonly string[]): string {
  const more = list.length - MOST_NAMES
  return more > 0 ? `${list.slice(0, MOST_NAMES).join('; ')}; and ${more} more` : list.join('; ')
}

function noSharedState(): Finding {
  const cure = 'Add --redis host:port: every worker has to reach the state of the tasks that it takes over.'
  return { check: 'Redis', result: 'failed', found: 'Kafka is given without Redis', cure }
}

async function examineRegistry(place: Place, scenario: Scenario): Promise<Finding> {
  const { event, label, scores, outcomes } = scenario
  const flowing = [event.topic, label.topic, scores.topic, outcomes.topic, modelTopic(scenario.name)]
  const missing = await topicsNotRegistered(place, flowing)
  const address = registryAddress(place.settings)
  if (missing.length === 0) return ok('schema registry', `${address} has all ${flowing.length} schemas`)
  const has = missing.length === flowing.length ? 'none of the' : `${flowing.length - missing.length} of the`
  return ok('schema registry', `${address} has ${has} ${flowing.length} schemas yet; the first rheo run registers them`)
}

function ok(check: string, found: string): Finding {
  return { check, result: 'ok', found, cure: null }
}
