import { ByteReader, ByteWriter } from './byte-buffer.ts'
import { Calibrator } from './learners/calibration.ts'
import type { OnlineModelSpec } from './learners/online-model.ts'
import { ModelArms } from './model-arms.ts'
import { EXAMPLE, type Example, MODEL, type ModelUpdate, SERVED, type ServedScore } from './model-update.ts'
import type { Policy, PolicyTrainer } from './policies/policy.ts'
import type { Emit, Step } from './step.ts'

export interface LearnStepOptions {
  readonly featureNames: readonly string[]
  readonly model: OnlineModelSpec
  readonly policy: Policy
  readonly scoreStage: string
  /** The champion first. An arm's weights and calibration follow the learner for `learnsForMs` of event time; null: always. */
  readonly arms: readonly { readonly name: string; readonly learnsForMs: number | null }[]
  /** Updates are published after this many examples or this much event time, whichever is first. */
  readonly publishEvery: { readonly examples: number; readonly ms: number }
}

const NOTHING = new Uint8Array(0)

interface LearningArm {
  readonly name: string
  readonly learnsForMs: number | null
  calibrator: Calibrator
  trainer: PolicyTrainer
}

/**
 * The single writer of a model: learns from every example as it was served, recalibrates, moves the thresholds, and
 * broadcasts what changed to the scorers. One key ('model'), so its state is the resident alone.
 */
export function createLearnStep(options: LearnStepOptions): Step<object> {
  const { model, policy, publishEvery } = options
  const learner = model.createLearner(options.featureNames)
  const arms: LearningArm[] = options.arms.map((arm) => ({
    ...arm,
    calibrator: new Calibrator(),
    trainer: policy.createTrainer(),
  }))
  const modelArms = new ModelArms(policy, () => arms[0]!)
  let firstMs = Number.NaN
  let publishedMs = Number.NEGATIVE_INFINITY
  let unpublished = 0
  let changed = false

  const stillLearns = (arm: LearningArm, tMs: number): boolean =>
    arm.learnsForMs === null || tMs < firstMs + arm.learnsForMs

  function learn(example: Example, tMs: number): void {
    if (Number.isNaN(firstMs)) firstMs = tMs
    learner.learn(example.features, example.label, 1)
    modelArms.learn(example)
    arms.forEach((arm, i) => {
      const { rawLogit, logit, probability } = example.arms[i]!
      if (stillLearns(arm, tMs)) arm.calibrator.observe(rawLogit, example.label, 1)
      const outcome = {
        logit,
        probability,
        eventTimeMs: example.scoredMs,
        amount: example.amount,
        label: example.label,
      }
      if (example.corrected) arm.trainer.correctOutcome(outcome)
      else arm.trainer.observeOutcome(outcome)
    })
    unpublished++
    changed = true
  }

  function watch(served: ServedScore, eventTimeMs: number): void {
    const { amount, arms: scores } = served
    modelArms.watch(served, eventTimeMs)
    arms.forEach(({ trainer }, i) => {
      const { logit, probability } = scores[i]!
      trainer.observeScore({ logit, probability, eventTimeMs, amount })
    })
    changed = true
  }

  function publish(tMs: number, emit: Emit): void {
    publishedMs = tMs
    unpublished = 0
    const bytes = learner.takeUpdate() ?? NOTHING
    const declared = arms.map((arm) => ({
      name: arm.name,
      learns: stillLearns(arm, tMs),
      calibration: arm.calibrator.settings(),
      policy: arm.trainer.settings(),
    }))
    const update: ModelUpdate = { bytes, arms: [...declared, ...modelArms.updates()], blend: modelArms.blend() }
    emit.broadcast(options.scoreStage, MODEL, tMs, update)
  }

  return {
    table: null,
    resident: {
      restore(pages) {
        learner.restore(
          pages.filter(([page]) => page.startsWith('learner/')).map(([page, value]) => [page.slice(8), value]),
        )
        modelArms.restore(pages)
        const own = pages.find(([page]) => page === 'progress')
        if (own === undefined) return
        const reader = new ByteReader(own[1])
        firstMs = reader.float64()
        publishedMs = reader.float64()
        unpublished = reader.varint()
        for (const arm of arms) {
          arm.calibrator = Calibrator.decode(reader.blob())
          arm.trainer = policy.decodeTrainer(reader.blob())
        }
      },
      changedPages() {
        if (!changed) return []
        changed = false
        const writer = new ByteWriter(16_384)
        writer.float64(firstMs)
        writer.float64(publishedMs)
        writer.varint(unpublished)
        for (const arm of arms) {
          writer.blob(arm.calibrator.encode())
          writer.blob(arm.trainer.encode())
        }
        const weights = learner.changedPages().map(([page, value]) => [`learner/${page}`, value] as const)
        return [...weights, ['progress', writer.take()], ...modelArms.changedPages()]
      },
    },
    fold(entry, _state, emit) {
      if (entry.kind === SERVED) return watch(entry.body as ServedScore, entry.eventTimeMs)
      if (entry.kind !== EXAMPLE) throw new Error(`the learning stage knows no entries of kind "${entry.kind}"`)
      learn(entry.body as Example, entry.eventTimeMs)
      const due = entry.eventTimeMs - publishedMs >= publishEvery.ms
      if (due || unpublished >= publishEvery.examples) publish(entry.eventTimeMs, emit)
    },
  }
}
