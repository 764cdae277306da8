import { DENSE_RULE } from '../gpu/online-dense.ts'
import { ROUND } from '../scenarios/fraud/generator/live-payments.ts'
import { runEmbedded } from '../scenarios/run-embedded.ts'
import type { DevFlags } from './commands/dev.ts'
import { createLiveScreen } from './live-screen.ts'
import { noteModelChoice, noteModelFailure } from './model-argument.ts'
import { flagsTo } from './place.ts'
import { scenarioOf } from './scenario-argument.ts'
import { readSettings, stateDirectory } from './settings.ts'
import { grouped, note, print, printJson, safe, shownDuration } from './terminal.ts'

const TICK_MS = 1_000
const REDRAW_MS = 500
/** The frozen arm learns for the first quarter of the stream, as in a replay of it. */
const WARM_UP_SHARE = 0.25

/** `rheo dev`: the scenario live in the terminal until Ctrl-C, or for a while. */
export async function runDev(name: string, flags: DevFlags): Promise<void> {
  const scenario = await scenarioOf(name)
  const { settings } = readSettings({ state: flags.state })
  const directory = stateDirectory(settings, scenario.name)
  const freezeAfterMs = flags.freezeAfter ?? ((WARM_UP_SHARE * ROUND.payments) / flags.rate) * 1_000
  const stop = new AbortController()
  const end = (): void => stop.abort()
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  const timer = flags.for === undefined ? null : setTimeout(end, flags.for)
  const isDrawn = process.stdout.isTTY && flags.json !== true
  const screen = createLiveScreen(process.stdout, isDrawn ? 'redraw' : 'lines', scenario.words)
  if (!flags.json) {
    const source = flags.generator ? `${grouped(flags.rate)} generated payments/s` : 'what others append'
    note(`Scoring ${source} in ${directory}; Ctrl-C ends.`)
  }
  try {
    const last = await runEmbedded({
      scenario,
      directory,
      generator: flags.generator
        ? {
            perSecond: flags.rate,
            labelDelayMs: flags.labelDelay,
            seed: flags.seed,
            world: flags.world,
            freezeAfterMs,
          }
        : null,
      batchRecords: settings.batchRecords,
      signal: stop.signal,
      tickEveryMs: isDrawn ? REDRAW_MS : TICK_MS,
      onTick: (tick) => {
        if (!flags.json) screen.show(tick)
      },
      provider: settings.provider,
      dense: flags.dense === true ? DENSE_RULE : null,
      onModelFailure: noteModelFailure,
      onModelChoice: noteModelChoice,
      onRetry: (error, attempt) => note(`${safe(error.message)}: trying again from the checkpoint (${attempt})`),
    })
    if (flags.json) return printJson({ scenario: scenario.name, state: directory, ...last })
    screen.show(last)
    print(
      `\n${grouped(last.payments)} ${scenario.words.events} and ${grouped(last.labels)} labels in ${shownDuration(last.elapsedMs)}`,
    )
    const place = flagsTo({ scenario: scenario.name, settings, directory })
    print(`scores   rheo subscribe scores --since start${place}`)
    const generator = flags.generator ? '' : ' --no-generator'
    print(`again    rheo dev ${name}${generator} --state ${directory}   goes on from here`)
  } finally {
    if (timer !== null) clearTimeout(timer)
    process.off('SIGINT', end)
    process.off('SIGTERM', end)
  }
}
