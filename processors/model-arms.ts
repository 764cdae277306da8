import { ByteReader, ByteWriter } from './byte-buffer.ts'
import { Calibrator } from './learners/calibration.ts'
import { type BlendSettings, Stacker } from './learners/stacker.ts'
import type { ArmUpdate, Example, ModelScore, ServedScore } from './model-update.ts'
import type { Policy, PolicyTrainer } from './policies/policy.ts'

interface ModelArm {
  readonly calibrator: Calibrator
  readonly trainer: PolicyTrainer
}

const PAGE = 'models'

/** The learner's part in models that come and go: calibration and threshold of each, by name, and how they are blended. */
export class ModelArms {
  readonly #policy: Policy
  readonly #arms = new Map<string, ModelArm>()
  #stacker = new Stacker()
  #changed = false

  constructor(policy: Policy) {
    this.#policy = policy
  }

  learn({ label, corrected, scoredMs, amount, models }: Example): void {
    if (models.length === 0) return
    this.#changed = true
    const [base, ...others] = models
    this.#stacker.observe(base!.rawLogit, others, label)
    for (const model of models) {
      const { calibrator, trainer } = this.#armOf(model)
      calibrator.observe(model.rawLogit, label, 1)
      const { logit, probability } = model
      const outcome = { logit, probability, eventTimeMs: scoredMs, amount, label }
      if (corrected) trainer.correctOutcome(outcome)
      else trainer.observeOutcome(outcome)
    }
  }

  watch({ amount, models }: ServedScore, eventTimeMs: number): void {
    if (models.length > 0) this.#changed = true
    for (const model of models) {
      const { logit, probability } = model
      this.#armOf(model).trainer.observeScore({ logit, probability, eventTimeMs, amount })
    }
  }

  /** What scorers need; null as long as there was no model. */
  blend(): BlendSettings | null {
    return this.#arms.size === 0 ? null : this.#stacker.settings()
  }

  updates(): ArmUpdate[] {
    return [...this.#arms].map(([name, { calibrator, trainer }]) => ({
      name,
      learns: false,
      calibration: calibrator.settings(),
      policy: trainer.settings(),
    }))
  }

  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void {
    const page = pages.find(([name]) => name === PAGE)
    if (page === undefined) return
    const reader = new ByteReader(page[1])
    this.#stacker = Stacker.decode(reader.blob())
    for (let count = reader.varint(); count > 0; count--) {
      const name = reader.text()
      const calibrator = Calibrator.decode(reader.blob())
      this.#arms.set(name, { calibrator, trainer: this.#policy.decodeTrainer(reader.blob()) })
    }
  }

  changedPages(): readonly (readonly [page: string, value: Uint8Array])[] {
    if (!this.#changed) return []
    this.#changed = false
    const writer = new ByteWriter(4_096)
    writer.blob(this.#stacker.encode())
    writer.varint(this.#arms.size)
    for (const [name, { calibrator, trainer }] of this.#arms) {
      writer.text(name)
      writer.blob(calibrator.encode())
      writer.blob(trainer.encode())
    }
    return [[PAGE, writer.take()]]
  }

  #armOf({ name }: ModelScore): ModelArm {
    let arm = this.#arms.get(name)
    if (arm === undefined) {
      arm = { calibrator: new Calibrator(), trainer: this.#policy.createTrainer() }
      this.#arms.set(name, arm)
    }
    return arm
  }
}
