/**
 * @packageDocumentation
 * A handful of seeds, one after another, summed up: the work of one thread between two messages. Where all is well
 * nothing is kept of a run but its numbers.
 */
import { addCounts, playSeed } from '../../sim/family.js'
import type { Family, Outcome } from '../../sim/family.js'
import { familyNamed } from '../../sim/families.js'
import { XbbdError } from '../../protocol/errors.js'
import type { SeedsMessage, SumMessage } from './messages.js'

/** Throws XbbdError when there is no family of that name. */
export function requireFamily(name: string, known: readonly string[]): Family {
  const family = familyNamed(name)
  if (family) return family
  throw new XbbdError('XBBD_USAGE', `there is no family ${name}: ${known.join(', ')}`, { exitCode: 64 })
}

export async function playSeeds({ family, from, count, every }: SeedsMessage): Promise<SumMessage> {
  const played = requireFamily(family, [])
  const began = performance.now()
  const counts: Record<string, number> = {}
  const failures: Outcome[] = []
  let digest = 0n
  let runs = 0
  for (let seed = from; seed < from + count; seed++) {
    if (seed % every !== 0) continue
    runs++
    const outcome = await playSeed(played, seed)
    addCounts(counts, outcome.counts)
    digest = BigInt.asUintN(64, digest + BigInt(`0x${outcome.digest || '0'}`))
    if (outcome.violations.length > 0) failures.push(outcome)
  }
  return { family, runs, elapsedMs: performance.now() - began, counts, digest, failures }
}
