/**
 * @packageDocumentation
 * Reads the newest segment of each queue that another process serves, while that one writes it, and asks whether this
 * version could go on from it (journal/rehearsal.ts). A segment that is recycled while it is read looks damaged, so
 * whoever is refused is looked at again, a few times: a journal that is really damaged stays so.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { findLegacies } from '../../io/journal/found-legacies.js'
import { rehearse } from '../../journal/rehearsal.js'
import type { Refusal } from './dialogue.js'

const LOOKS = 5
const BETWEEN_LOOKS_MS = 20

/** Why queues could not be gone on with; none when all could. `boot`: of this machine, now. */
export async function rehearseQueues(
  directory: string, queues: readonly string[], boot: string,
): Promise<readonly Refusal[]> {
  let refusals = look(directory, queues, boot)
  for (let looks = 1; refusals.length > 0 && looks < LOOKS; looks++) {
    await pause(BETWEEN_LOOKS_MS)
    refusals = look(directory, refusals.map(({ queue }) => queue), boot)
  }
  return refusals
}

function look(directory: string, queues: readonly string[], boot: string): { queue: string; sentence: string }[] {
  const newest = new Map(findLegacies(directory).map(({ queue, words }) => [queue, words]))
  return queues.flatMap((queue) => {
    const words = newest.get(queue)
    const sentence = words === undefined ? 'no journal in run.dir tells of it' : rehearse(words, boot)
    return sentence === undefined ? [] : [{ queue, sentence }]
  })
}
