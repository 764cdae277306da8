import { ByteReader, ByteWriter } from './byte-buffer.ts'
import type { Inference } from './inference.ts'
import { type CalibrationSettings, calibratedLogit, UNCALIBRATED } from './learners/calibration.ts'
import { sigmoid } from './learners/sigmoid.ts'
import { blendedLogit, modelLogit, readBlend, UNBLENDED, writeBlend } from './learners/stacker.ts'
import type { ModelScore, ModelUpdate } from './model-update.ts'
import type { Policy, PolicySettings } from './policies/policy.ts'

/** The online model's own answer, to blend the others into. */
export type BaseAnswer = Pick<ModelScore, 'name' | 'version' | 'rawLogit'>

/** How an arm's log-odds become a probability and a decision. */
export interface Serving {
  readonly calibration: CalibrationSettings
  readonly policy: PolicySettings
}

const PAGE = '$models'

/**
 * A scorer's part in models that come and go: each is an arm of its own in shadow, with calibration and threshold by name,
 * and the champion's log-odds are a blend of theirs and the online model's. The first model score is the online model alone.
 */
export class ServedModels {
  readonly #policy: Policy
  #blend = UNBLENDED
  readonly #arms = new Map<string, Serving>()
  readonly #fresh: Serving
  #changed = false

  constructor(policy: Policy) {
    this.#policy = policy
    this.#fresh = { calibration: UNCALIBRATED, policy: policy.initialSettings }
  }

  /** @param champion what the online model alone goes by as long as no update told otherwise */
  scores(base: BaseAnswer, inferences: readonly Inference[], amount: number, champion: Serving): readonly ModelScore[] {
    const models = inferences.map(({ name, version, probability }) =>
      this.#score({ name, version, rawLogit: modelLogit(probability) }, amount, this.#fresh),
    )
    return [this.#score(base, amount, champion), ...models]
  }

  /** The champion's log-odds, before calibration. `scores` as above. */
  blend([base, ...models]: readonly ModelScore[]): number {
    return blendedLogit(this.#blend, base!.rawLogit, models)
  }

  /** Takes over blend, calibration and threshold of every arm but those that `isDeclared`. */
  update({ blend, arms }: ModelUpdate, isDeclared: (name: string) => boolean): void {
    if (blend === null) return
    this.#blend = blend
    for (const { name, calibration, policy } of arms) {
      if (!isDeclared(name)) this.#arms.set(name, { calibration, policy })
    }
    this.#changed = true
  }

  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void {
    const page = pages.find(([name]) => name === PAGE)
    if (page === undefined) return
    const reader = new ByteReader(page[1])
    this.#blend = readBlend(reader)
    for (let count = reader.varint(); count > 0; count--) {
      const name = reader.text()
      const calibration = { slope: reader.float64(), intercept: reader.float64() }
      this.#arms.set(name, { calibration, policy: [...reader.float64s()] })
    }
  }

  changedPages(): readonly (readonly [page: string, value: Uint8Array])[] {
    if (!this.#changed) return []
    this.#changed = false
    const writer = new ByteWriter(512)
    writeBlend(writer, this.#blend)
    writer.varint(this.#arms.size)
    for (const [name, { calibration, policy }] of this.#arms) {
      writer.text(name)
      writer.float64(calibration.slope)
      writer.float64(calibration.intercept)
      writer.float64s(Float64Array.from(policy))
    }
    return [[PAGE, writer.take()]]
  }

  #score({ name, version, rawLogit }: BaseAnswer, amount: number, byDefault: Serving): ModelScore {
    const { calibration, policy } = this.#arms.get(name) ?? byDefault
    const logit = calibratedLogit(rawLogit, calibration)
    const probability = sigmoid(logit)
    const { threshold } = this.#policy.decide(probability, logit, amount, policy)
    return { name, version, rawLogit, logit, probability, threshold }
  }
}
