/** A record of a log, as any client of it would get it. */
export interface ReadRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
  readonly timestampMs: number
}

/** All that the verifier needs of a log: the committed records of a topic, each partition in the order of its offsets. */
export interface LogReader {
  /** A topic that does not exist has no records. */
  read(topic: string): Promise<readonly ReadRecord[]>
  close(): Promise<void>
}

/** What a state store shows to others: the current features of an entity, by name; null where there are none. */
export interface FeatureReader {
  features(keyField: string, partition: number, key: string): Promise<ReadonlyMap<string, number> | null>
  close(): Promise<void>
}
