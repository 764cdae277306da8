/** A process that takes part, and what it runs now. */
export interface Member {
  readonly id: string
  readonly held: readonly number[]
  /** When it last got tasks, any clock: where two claim the same task, the later one has it. */
  readonly sinceMs: number
}

/**
 * Shares tasks 0 ≤ task < count out: members get equally many, or one more, and keep as many as possible of those they
 * run. Every task has exactly one member; the same input gives the same result, in whichever order members come.
 * Cost: O(count + members · log members).
 */
export function shareTasks(members: readonly Member[], count: number): ReadonlyMap<string, readonly number[]> {
  const shares = new Map<string, number[]>(members.map(({ id }) => [id, []]))
  if (members.length === 0) return shares
  const latestFirst = [...members].sort((a, b) => b.sinceMs - a.sinceMs || (a.id < b.id ? -1 : 1))
  const claims = new Map<number, string>()
  for (const { id, held } of latestFirst) {
    for (const task of held) if (task >= 0 && task < count && !claims.has(task)) claims.set(task, id)
  }
  const claimed = new Map<string, number>()
  for (const id of claims.values()) claimed.set(id, (claimed.get(id) ?? 0) + 1)
  // Who runs most gets the odd ones, so that the fewest move.
  const byLoad = latestFirst.map(({ id }) => id).sort((a, b) => (claimed.get(b) ?? 0) - (claimed.get(a) ?? 0))
  const odd = count % members.length
  const quota = new Map(byLoad.map((id, i) => [id, Math.floor(count / members.length) + (i < odd ? 1 : 0)]))
  const free: number[] = []
  for (let task = 0; task < count; task++) {
    const share = shares.get(claims.get(task) ?? '')
    if (share !== undefined && share.length < quota.get(claims.get(task)!)!) share.push(task)
    else free.push(task)
  }
  for (const id of byLoad) {
    const share = shares.get(id)!
    while (share.length < quota.get(id)! && free.length > 0) share.push(free.shift()!)
    share.sort((a, b) => a - b)
  }
  return shares
}
