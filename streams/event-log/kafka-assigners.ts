import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'
import { shareTasks } from '../share-tasks.ts'

const NO_DATA = Buffer.alloc(0)

/** What a member tells the group's leader about itself. */
export interface MemberState {
  readonly held: readonly number[]
  readonly sinceMs: number
}

/**
 * Partition p of every topic goes to the member that runs task p, as `shareTasks` shares them out. A topic with fewer
 * partitions (a stage with a single writer) goes along with its first ones. `state` is asked at every rebalance.
 */
export function coPartitionedAssigner(partitions: number, state: () => MemberState): PartitionAssigner {
  return ({ cluster }) => ({
    name: CO_PARTITIONED,
    version: 0,
    async assign({ members, topics }) {
      const shares = shareTasks(
        members.map(({ memberId, memberMetadata }) => ({ id: memberId, ...stateOf(memberMetadata) })),
        partitions,
      )
      const counts = topics.map((topic) => ({ topic, count: cluster.findTopicPartitionMetadata(topic).length }))
      return [...shares].map(([memberId, tasks]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment: Object.fromEntries(
            counts.map(({ topic, count }) => [topic, tasks.filter((task) => task < count)]),
          ),
          userData: NO_DATA,
        }),
      }))
    },
    protocol: ({ topics }) => ({
      name: CO_PARTITIONED,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: 0,
        topics,
        userData: Buffer.from(JSON.stringify(state())),
      }),
    }),
  })
}

const CO_PARTITIONED = 'rheo-co-partitioned'

function stateOf(metadata: Buffer): MemberState {
  const userData = AssignerProtocol.MemberMetadata.decode(metadata)?.userData
  if (userData === undefined || userData.length === 0) return { held: [], sinceMs: 0 }
  return JSON.parse(userData.toString()) as MemberState
}
