import { ByteReader, ByteWriter } from './byte-buffer.ts'
import { Calibrator } from './learners/calibration.ts'
import { type BlendSettings, Stacker } from './learners/stacker.ts'
import type { ArmUpdate, Example, ModelScore, ServedScore } from './model-update.ts'
import type { Policy, PolicyTrainer } from './policies/policy.ts'

export interface ModelArm {
  readonly calibrator: Calibrator
  readonly trainer: PolicyTrainer
}

const PAGE = 'models'

/** The learner's part in models that come and go: calibration and threshold of each, by name, and how they are blended. */
export class ModelArms {
  readonly #policy: Policy
  readonly #champion: () => ModelArm
  readonly #arms = new Map<string, ModelArm>()
  #stacker = new Stacker()
  #changed = false

  /** @param champion what the online model alone goes on from: until models came, it was the champion */
  constructor(policy: Policy, champion: () => ModelArm) {
    this.#policy = policy
    this.#champion = champion
  }

  learn(example: Example): void {
    const { label, corrected, scoredMs, amount } = example
    const [base, ...others] = this.#served(example)
    if (base === undefined) return
    this.#changed = true
    this.#stacker.observe(base.rawLogit, others, label)
    for (const model of [base, ...others]) {
      const { calibrator, trainer } = this.#armOf(model)
      calibrator.observe(model.rawLogit, label, 1)
      const { logit, probability } = model
      const outcome = { logit, probability, eventTimeMs: scoredMs, amount, label }
      if (corrected) trainer.correctOutcome(outcome)
      else trainer.observeOutcome(outcome)
    }
  }

  watch(score: ServedScore, eventTimeMs: number): void {
    const { amount } = score
    for (const model of this.#served(score)) {
      this.#changed = true
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

  /** Where no model answered, the champion was the online model alone; before the first model, nobody has to know. */
  #served({ arms, models }: Pick<ServedScore, 'arms' | 'models'>): readonly ModelScore[] {
    if (models.length > 0 || this.#arms.size === 0) return models
    const [name] = this.#arms.keys()
    return [{ name: name!, version: '', ...arms[0]! }]
  }

  #armOf({ name }: ModelScore): ModelArm {
    let arm = this.#arms.get(name)
    if (arm === undefined) {
      arm = this.#arms.size === 0 ? this.#copyOfChampion() : this.#freshArm()
      this.#arms.set(name, arm)
    }
    return arm
  }

  #freshArm(): ModelArm {
    return { calibrator: new Calibrator(), trainer: this.#policy.createTrainer() }
  }

  #copyOfChampion(): ModelArm {
    const { calibrator, trainer } = this.#champion()
    return {
      calibrator: Calibrator.decode(calibrator.encode()),
      trainer: this.#policy.decodeTrainer(trainer.encode()),
    }
  }
}
