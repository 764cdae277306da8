import type { DatabaseSync } from 'node:sqlite'
import type { Position } from './event-log.ts'
import { arrayRows } from './sqlite-file.ts'

/** Positions and task epochs of the consumer groups of a SQLite log. */
export interface Groups {
  /** A new epoch for the task, larger than every earlier one. */
  nextEpoch(group: string, task: string): number
  epoch(group: string, task: string): number | undefined
  committed(group: string, topic: string, partition: number): bigint | undefined
  /** Puts off writing the position until `flush`: of many commits in one transaction only the last is written. */
  move(group: string, position: Position): void
  flush(): void
  forget(): void
}

export function createGroups(db: DatabaseSync): Groups {
  const bumpEpoch = arrayRows(
    db.prepare(`INSERT INTO tasks (group_name, task, epoch) VALUES (?, ?, 1)
      ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch`),
  )
  const selectEpoch = arrayRows(db.prepare('SELECT epoch FROM tasks WHERE group_name = ? AND task = ?'))
  const selectPosition = db.prepare(
    'SELECT next_offset FROM positions WHERE group_name = ? AND topic = ? AND partition = ?',
  )
  arrayRows(selectPosition).setReadBigInts(true)
  const upsertPosition = db.prepare(`INSERT INTO positions (group_name, topic, partition, next_offset)
    VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset`)
  const moved = new Map<string, { readonly group: string; readonly position: Position }>()
  const nameOf = (group: string, topic: string, partition: number) => `${group}\n${topic}\n${partition}`

  return {
    nextEpoch: (group, task) => (bumpEpoch.get(group, task) as unknown as [number])[0],
    epoch: (group, task) => (selectEpoch.get(group, task) as unknown as [number] | undefined)?.[0],
    committed(group, topic, partition) {
      const pending = moved.size === 0 ? undefined : moved.get(nameOf(group, topic, partition))
      if (pending !== undefined) return pending.position.next
      return (selectPosition.get(group, topic, partition) as unknown as [bigint] | undefined)?.[0]
    },
    move(group, position) {
      moved.set(nameOf(group, position.topic, position.partition), { group, position })
    },
    flush() {
      for (const { group, position } of moved.values()) {
        upsertPosition.run(group, position.topic, position.partition, position.next)
      }
      moved.clear()
    },
    forget: () => moved.clear(),
  }
}
