/**
 * @packageDocumentation
 * `xbbd replay --at` and `--until`: goes to one moment of a recording and shows it. `--at` takes a batch number (of one
 * journal) or a time; `--until` the first moment at which a condition holds, from the beginning or from `--at` on.
 */
import { ChainCursor } from '../../journal/chain-cursor.js'
import type { JournalChain } from '../../journal/chain.js'
import type { Condition } from '../../journal/condition.js'
import { Recording } from '../../journal/recording.js'
import { Scene, walkUntil } from '../../journal/scene.js'
import { parseMoment, resolveMoment } from '../../journal/times.js'
import type { MomentWish } from '../../journal/times.js'
import { XbbdError } from '../../protocol/errors.js'
import { json, type CommandContext } from '../commands/context.js'
import { momentText, recordingMoment } from './moment-text.js'

/** Reads `--at`. @throws XbbdError 64. */
export function readMoment(text: string): MomentWish {
  const wish = parseMoment(text)
  if (wish !== undefined) return wish
  const examples = '812 (a batch), +1.5s (after the start), -2s (before the end), 10:00:00.5 or 2026-11-26T10:00:00Z'
  throw new XbbdError('XBBD_MOMENT', `${JSON.stringify(text)} is no moment: give ${examples}`, { exitCode: 64 })
}

/** Goes to the moment. @returns its time on the recording's clock. */
export function goTo(recording: Recording, wish: MomentWish): number {
  if (wish.kind === 'batch') return goToBatch(recording, wish.batch)
  recording.end()
  const toNs = recording.latest()?.timeNs ?? 0
  recording.begin()
  const fromNs = recording.peek()?.timeNs ?? 0
  const timeNs = resolveMoment(wish, recording.chains[0].identity, fromNs, toNs)
  recording.seek(timeNs)
  return timeNs
}

/** Everything up to that batch of the one journal that has it, and of the others what was sealed until then. */
function goToBatch(recording: Recording, batch: number): number {
  const journals = [...new Set(recording.chains.map(({ journal }) => journal))]
  const queues = recording.chains.filter(({ identity }) => identity.kind === 'queue')
  const chain = journals.length === 1 ? recording.chains.at(-1) : queues.length === 1 ? queues[0] : undefined
  if (chain === undefined) {
    const sentence = `batch ${batch} of which journal? Name one with --journal: there are ${journals.join(', ')}`
    throw new XbbdError('XBBD_MOMENT', sentence, { exitCode: 64 })
  }
  const probe = new ChainCursor(chain)
  probe.seek(batch)
  const found = probe.last
  if (found?.number !== batch) {
    const first = chain.segments[0].header.firstBatch
    const last = `${chain.journal} has batches ${first} to ${found?.number ?? first}`
    throw new XbbdError('XBBD_MOMENT', `there is no batch ${batch}: ${last}`, { exitCode: 66 })
  }
  const cursor = recording.cursors.find((one) => one.chain === chain)
  const timeNs = found.timeNs + (cursor === undefined ? 0 : recording.timeOf(cursor, 0))
  recording.seek(timeNs)
  return timeNs
}

/** `--at`. */
export function showMoment(
  context: CommandContext, chains: readonly JournalChain[], text: string, asJson: boolean,
): void {
  const wish = readMoment(text)
  const recording = new Recording(chains)
  const moment = recordingMoment(recording, goTo(recording, wish))
  context.terminal.out(asJson ? json(moment) : momentText(moment))
}

/** `--until`: ends with 1 when the condition never holds. */
export function showFirst(
  context: CommandContext, chains: readonly JournalChain[], condition: Condition, from: string | undefined,
  asJson: boolean,
): void {
  const scene = new Scene(chains)
  if (from !== undefined) scene.nowNs = goTo(scene.recording, readMoment(from))
  const found = walkUntil(scene, condition)
  if (found === undefined) {
    context.status = 1
    if (asJson) return context.terminal.out(json({ found: false, condition: condition.text }))
    return context.terminal.note(`the recording ends, and never was it so that ${condition.text}`)
  }
  const moment = recordingMoment(scene.recording, found.timeNs)
  const { cursor, batch } = found.batch
  const place = { journal: cursor.chain.journal, batch: batch.number, sentence: found.sentence }
  if (asJson) return context.terminal.out(json({ found: true, condition: condition.text, ...place, moment }))
  const head = `${found.sentence}: after batch ${batch.number} of ${cursor.chain.journal}`
  context.terminal.out(`${head}\n${momentText(moment)}`)
}
