import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'

const NO_DATA = Buffer.alloc(0)

/** For a group of one member: it gets every partition of its topics, and pauses what it does not want. */
export const wholeTopicsAssigner: PartitionAssigner = ({ cluster }) => ({
  name: 'rheo-whole-topics',
  version: 0,
  async assign({ members, topics }) {
    const assignment = Object.fromEntries(
      topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)]),
    )
    return members.map(({ memberId }) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment, userData: NO_DATA }),
    }))
  },
  protocol: ({ topics }) => ({
    name: 'rheo-whole-topics',
    metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: NO_DATA }),
  }),
})
