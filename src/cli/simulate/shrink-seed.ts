/**
 * @packageDocumentation
 * A seed that fails, made simple: the plan that is left is printed as a scenario file, and what it breaks beside it, so
 * that it can be read, kept and played again.
 */
import { playSeed } from '../../sim/family.js'
import { scenarioText } from '../../sim/scenario.js'
import { shrink } from '../../sim/shrink.js'
import { XbbdError } from '../../protocol/errors.js'
import type { CommandContext } from '../commands/context.js'
import { progressBetween } from '../progress.js'
import { requireFamily } from './play-seeds.js'

/** Of the first of these families in which it fails. Throws XbbdError when there is nothing to shrink. */
export async function shrinkSeed(
  context: CommandContext, names: readonly string[], seed: number | undefined,
): Promise<void> {
  if (seed === undefined)
    throw new XbbdError('XBBD_USAGE', '--shrink is of one seed: name it with --seed', { exitCode: 64 })
  const { terminal } = context
  for (const name of names) {
    const family = requireFamily(name, names)
    const outcome = await playSeed(family, seed)
    if (outcome.violations.length === 0) continue
    context.status = 1
    if (family.simpler === undefined) {
      terminal.note(`worlds of the family ${name} are not made simpler: seed ${seed} is as short as it gets`)
      return
    }
    const between = progressBetween(terminal)
    const onTry = (tries: number) => between(() => `shrinking seed ${seed} of ${name}, ${tries} worlds tried`)
    const shrunk = await shrink(family, family.draw(seed), outcome, onTry)
    const [{ law, sentence, step }] = shrunk.outcome.violations
    terminal.out(scenarioText(name, `${law}: ${sentence}`, shrunk.plan))
    terminal.note(`${shrunk.tries} worlds tried; the simplest breaks «${law}» at step ${step}: ${sentence}`)
    return
  }
  terminal.note(`seed ${seed} breaks no law: there is nothing to shrink`)
}
