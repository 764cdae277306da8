import type { Counts, Outbox } from './outbox.ts'
import type { SavedStage } from './running-stage.ts'
import type { StatePut, TaskState } from './state/state-store.ts'

const TABLE = '$run'
const KEY = 'task'

/** What a task needs to go on where it stood, besides its stages' states. */
export interface SavedRun {
  readonly counts: Counts
  readonly intakeWatermarkMs: number | null
  readonly intakeBehindMs?: number | null
  readonly intakeAnnouncedMs: ReturnType<Outbox['announcedMs']>
  readonly stages: Record<string, SavedStage>
}

export function putRun(run: SavedRun): StatePut {
  const text = JSON.stringify({ ...run, counts: sortedByName(run.counts) })
  return { table: TABLE, key: KEY, value: Buffer.from(text), expiresAtMs: null }
}

/** null: nothing was saved yet. */
export async function loadRun(state: TaskState): Promise<SavedRun | null> {
  const [page] = await state.load(TABLE, [KEY])
  return page === undefined ? null : (JSON.parse(Buffer.from(page).toString()) as SavedRun)
}

/** So that equal counts are equal bytes, in whichever order they began. */
function sortedByName(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))) as Counts
}
