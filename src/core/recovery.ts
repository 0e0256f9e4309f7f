/**
 * @packageDocumentation
 * What a queue does when it goes on after the death of whoever ran it. Its state was folded from the journal; two
 * things in it are true no more: the arena that its pages named is gone, and I/O that was begun has ended, no one
 * knows how. So the pages are forgotten before the successor's own journal begins (its checkpoint has none), and its
 * first input, COMMAND recovered, sends every request that was taken and not answered back to its beginning.
 *
 *   at work (in no order among themselves) ──┐
 *   the line (held, waiting), oldest first ──┴► redone ► Taken ► admitted again, in this order
 *
 * All at work were taken before anyone in the line, and no barrier stands between two at work, so this is an order in
 * which the ring could have brought them. Redoing is legal: a write that was not answered may take effect any number of
 * times, and a flush promises only what was answered before it was taken, which has long been done. What must never
 * happen: a request redone that was answered; a lost sync forgiven (the data that it lost is still lost).
 */
import { QueueEvent } from '../machines/generated/queue.js'
import { RequestEvent, RequestState } from '../machines/generated/request.js'
import { ANSWER_WORDS } from '../ports/data-path.js'
import { LEVEL_MEDIUM_GONE } from '../ports/queues.js'
import { BLKIF_RSP_ERROR, BLKIF_RSP_OKAY } from '../protocol/blkif.js'
import { assert } from '../protocol/errors.js'
import { REASONS } from '../protocol/validate.js'
import type { QueueCore } from './queue-core.js'

/** The pages that requests hold belong to an arena that is no more. */
export function forgetBuffers(core: QueueCore): void {
  core.pages.fill(0)
  core.extents.clear()
}

/** Every request that was taken and not answered begins anew. */
export function redoAll(core: QueueCore): void {
  const line = core.gate.slotsInLine()
  const atWork: number[] = []
  for (let slot = 0; slot < core.slots; slot++) if (core.active[slot] !== 0) atWork.push(slot)
  const owed = (core.reqCons - core.rspProd) >>> 0
  const answering = core.effects.answerSlots.subarray(0, core.effects.answerCount)
  const known = [...atWork, ...line, ...answering].reduce((sum, slot) => sum + core.entries[slot], 0)
  assert(owed === known, 'who was taken and not answered is at work, in the line, or about to be answered')
  atWork.sort((one, other) => core.takenNs[one] - core.takenNs[other])
  core.gate.reset()
  // This batch began as any does, by admitting from the line; that is undone, too.
  core.effects.submitCount = 0
  core.effects.forgetCopies()
  core.levels &= ~LEVEL_MEDIUM_GONE
  // What the dead one gave up in its end is not the successor's affair.
  core.waitsForSpace = core.settings.waitsForSpace ?? false
  core.turn(QueueEvent.recovered)
  const all = [...atWork, ...line]
  for (const slot of all) {
    assert(core.pages[slot] === 0, 'a request that begins anew holds no pages')
    core.active[slot] = 0
    core.fire(slot, RequestEvent.redone)
  }
  for (const slot of all) core.gate.arrive(slot)
}

/** The status with which the request in `slot` is answered. */
export function statusOf(core: QueueCore, slot: number): number {
  const verdict = core.verdict[slot]
  return verdict !== 0 ? REASONS[verdict].status : core.failed[slot] !== 0 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY
}

/** Writes the answer of `slot` in place `index` of `answers` (ports/data-path.ts). */
export function putAnswer(core: QueueCore, slot: number, answers: Int32Array, index: number): void {
  const at = index * ANSWER_WORDS
  answers[at] = core.idLow[slot]
  answers[at + 1] = core.idHigh[slot]
  answers[at + 2] = core.op[slot]
  answers[at + 3] = statusOf(core, slot)
}

/**
 * The answers of the last batch, place by place: those of which a death may have kept the ring from hearing. They are
 * the slots that rest in Answered until the next batch begins. @returns them as ports/data-path.ts has answers.
 */
export function lastAnswers(core: QueueCore): { readonly answers: Int32Array; readonly count: number } {
  const slots = [...core.lists().leaving].filter((slot) => core.state[slot] === RequestState.Answered)
  const count = slots.reduce((sum, slot) => sum + core.entries[slot], 0)
  const answers = new Int32Array(count * ANSWER_WORDS)
  putAnswers(core, slots, answers)
  return { answers, count }
}

/** Writes the answers of `slots` with as many places as each has entries: the answer, and then the same again. */
export function putAnswers(core: QueueCore, slots: ArrayLike<number>, answers: Int32Array, count = slots.length): void {
  let place = 0
  for (let index = 0; index < count; index++)
    for (let more = core.entries[slots[index]]; more > 0; more--) putAnswer(core, slots[index], answers, place++)
}

/**
 * How many of the last batch's answers the ring has not heard of, when its page says that `published` answers were
 * published; undefined when it says what cannot be. The page is the front end's to write: what stands there is held
 * against what the journal committed, and nothing else is believed.
 */
export function unpublished(core: QueueCore, published: number): number | undefined {
  const missing = (core.rspProd - published) >>> 0
  return missing === 0 || missing === lastAnswers(core).count ? missing : undefined
}
