/**
 * Numbers by name, where an event has so many that an object of them would cost more than all else of it: in an event that is
 * being made, in place of a record of numbers. Written as an Avro map of doubles; whoever reads the event finds the record.
 */
export class NumberMap {
  /** Kept by whoever makes many maps: those with the very same array are written fastest. */
  readonly names: readonly string[]
  readonly values: ArrayLike<number>

  constructor(names: readonly string[], values: ArrayLike<number>) {
    this.names = names
    this.values = values
  }

  toRecord(): Record<string, number> {
    const record: Record<string, number> = {}
    this.names.forEach((name, i) => {
      record[name] = this.values[i]!
    })
    return record
  }
}
