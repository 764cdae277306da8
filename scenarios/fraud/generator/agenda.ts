import { type AttackName, DAY_MS, type DraftPayment, type GeneratedPayment } from './generated-payment.ts'

export interface Planned {
  readonly payment: DraftPayment
  readonly attack: AttackName | null
}

/** Payments planned for the days ahead. Memory is bounded by the longest attack episode, not by the stream. */
export interface Agenda {
  /** Files a payment under the day of its event time; times before the current day move to its start. */
  plan(payment: DraftPayment, attack: AttackName | null): void
  /** The day's payments in order of event time, numbered; goes on to the next day. */
  takeDay(): GeneratedPayment[]
}

/** @param startMs the first day's midnight, event time */
export function createAgenda(startMs: number): Agenda {
  let today = 0
  let sequence = 0
  const days = new Map<number, Planned[]>()
  return {
    plan(payment, attack) {
      const day = Math.max(today, Math.floor((payment.eventTime - startMs) / DAY_MS))
      if (payment.eventTime < startMs + today * DAY_MS) payment.eventTime = startMs + today * DAY_MS
      const planned = days.get(day)
      if (planned === undefined) days.set(day, [{ payment, attack }])
      else planned.push({ payment, attack })
    },
    takeDay() {
      const planned = days.get(today) ?? []
      days.delete(today)
      today++
      planned.sort((a, b) => a.payment.eventTime - b.payment.eventTime)
      return planned.map(({ payment, attack }) => {
        payment.paymentId = `p-${String(sequence++).padStart(8, '0')}`
        return { payment, fraud: attack !== null, attack }
      })
    },
  }
}
