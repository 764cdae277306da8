import { setTimeout as sleep } from 'node:timers/promises'
import { AssignerProtocol, Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { RheoError } from '../../schemas/errors.ts'
import { createKafkaMembership } from '../../streams/event-log/kafka-membership.ts'
import type { Membership } from '../../streams/membership.ts'
import { topicSpec } from '../event-log/harness.ts'
import { BROKER, needBroker, openTestLog, uniqueName } from './kafka-broker.ts'

beforeAll(() => needBroker())

const PARTITIONS = 6
const SOON_MS = 20_000

/** A member that notes what it is told. */
class Worker {
  readonly tasks = new Set<number>()
  readonly calls: string[] = []
  readonly membership: Membership
  constructor(membership: Membership) {
    this.membership = membership
  }

  join(): Promise<void> {
    return this.membership.join({
      assigned: (tasks) => {
        this.calls.push(`assigned ${tasks}`)
        for (const task of tasks) this.tasks.add(task)
      },
      revoked: (tasks) => {
        this.calls.push(`revoked ${tasks}`)
        for (const task of tasks) this.tasks.delete(task)
      },
      failed: (error) => this.calls.push(`failed ${error}`),
    })
  }

  has(...tasks: readonly number[]): boolean {
    return tasks.length === this.tasks.size && tasks.every((task) => this.tasks.has(task))
  }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const untilMs = performance.now() + SOON_MS
  while (!holds()) {
    if (performance.now() > untilMs) throw new Error(`${what} did not come true within ${SOON_MS} ms`)
    await sleep(10)
  }
}

describe('membership of a topology', () => {
  const workers: Worker[] = []
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.membership.leave()
  })

  async function topicsOf(name: string): Promise<string[]> {
    const log = openTestLog()
    await log.ensureTopics([
      topicSpec({ name: `${name}.payments`, partitions: PARTITIONS }),
      topicSpec({ name: `${name}.stage`, partitions: PARTITIONS }),
      topicSpec({ name: `${name}.learner`, partitions: 1 }),
    ])
    await log.close()
    return [`${name}.payments`, `${name}.stage`, `${name}.learner`]
  }

  function worker(group: string, topics: readonly string[]): Worker {
    const connection = { brokers: [BROKER] }
    const made = new Worker(
      createKafkaMembership({ connection, group, topics, partitions: PARTITIONS, sessionTimeoutMs: 3_000 }),
    )
    workers.push(made)
    return made
  }

  test('the first has all; the second takes half, the first keeps the other half without being told of it', async () => {
    const group = uniqueName()
    const topics = await topicsOf(group)
    const first = worker(group, topics)
    await first.join()
    expect(first.calls).toEqual(['assigned 0,1,2,3,4,5'])
    const second = worker(group, topics)
    await second.join()
    await until(() => first.has(0, 1, 2) && second.has(3, 4, 5), 'half each')
    expect(first.calls).toEqual(['assigned 0,1,2,3,4,5', 'revoked 3,4,5'])
    expect(second.calls).toEqual(['assigned 3,4,5'])
    await second.membership.leave()
    await until(() => first.has(0, 1, 2, 3, 4, 5), 'all back')
    expect(first.calls.at(-1)).toBe('assigned 3,4,5')
  })

  test('partition p of every topic goes to the same member', async () => {
    const group = uniqueName()
    const topics = await topicsOf(group)
    for (const each of [worker(group, topics), worker(group, topics), worker(group, topics)]) await each.join()
    await until(() => workers.every(({ tasks }) => tasks.size === 2), 'two tasks each')
    const admin = new Kafka({ brokers: [BROKER], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const { groups } = await admin.describeGroups([group])
    await admin.disconnect()
    const assignments = groups[0]!.members.map(
      ({ memberAssignment }) => AssignerProtocol.MemberAssignment.decode(memberAssignment)!.assignment,
    )
    expect(assignments.length).toBe(3)
    for (const assignment of assignments) {
      expect(assignment[topics[1]!]).toEqual(assignment[topics[0]!])
      expect(assignment[topics[2]!]).toEqual(assignment[topics[0]!]!.includes(0) ? [0] : [])
    }
  })

  test('it stays a member while its callback takes longer than a session', async () => {
    const group = uniqueName()
    const topics = await topicsOf(group)
    const first = worker(group, topics)
    const slow = createKafkaMembership({
      connection: { brokers: [BROKER] },
      group,
      topics,
      partitions: PARTITIONS,
      sessionTimeoutMs: 1_500,
    })
    const heard: string[] = []
    await slow.join({
      async assigned(tasks) {
        heard.push(`assigned ${tasks}`)
        await sleep(4_000)
      },
      revoked: (tasks) => void heard.push(`revoked ${tasks}`),
      failed: (error) => void heard.push(`failed ${error}`),
    })
    await first.join()
    await until(() => heard.length === 2, 'the second member is heard of')
    expect(heard).toEqual(['assigned 0,1,2,3,4,5', 'revoked 3,4,5'])
    await slow.leave()
  })

  test('a missing topic, and brokers that are not there, are named', async () => {
    const missing = worker(uniqueName(), [uniqueName()])
    await expect(missing.join()).rejects.toMatchObject({ code: 'TOPIC_MISSING' })
    const nowhere = createKafkaMembership({
      connection: { brokers: ['127.0.0.1:1'] },
      group: 'g',
      topics: ['t'],
      partitions: 1,
    })
    const ignore = () => undefined
    const failure = await nowhere.join({ assigned: ignore, revoked: ignore, failed: ignore }).catch((error) => error)
    expect(failure).toBeInstanceOf(RheoError)
    expect(failure).toMatchObject({ code: 'LOG_UNAVAILABLE', retryable: true })
  })
})
