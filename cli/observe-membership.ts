import type { Membership } from '../streams/membership.ts'

/** A membership that passes everything on and tells, before the run loop hears of it, which tasks are this process's. */
export function observeMembership(
  membership: Membership,
  onChange: (tasks: readonly number[], change: 'assigned' | 'revoked', moved: readonly number[]) => void,
): Membership {
  let held: readonly number[] = []
  return {
    join: (listener) =>
      membership.join({
        assigned(tasks) {
          held = [...held, ...tasks].sort((a, b) => a - b)
          onChange(held, 'assigned', tasks)
          return listener.assigned(tasks)
        },
        async revoked(tasks) {
          await listener.revoked(tasks)
          held = held.filter((task) => !tasks.includes(task))
          onChange(held, 'revoked', tasks)
        },
        failed: (error) => listener.failed(error),
      }),
    leave: () => membership.leave(),
  }
}
