/**
 * @packageDocumentation
 * A shared ring without shared memory: plain arrays, both sides' operations, the index arithmetic of
 * xen/include/public/io/ring.h. The front end's side is public, so that a hostile one can write what it likes.
 */
import type { AbiLayout } from '../protocol/abi.js'
import { ANSWER_WORDS } from '../ports/data-path.js'
import type { BackRing } from '../ports/data-path.js'

export class SimRing implements BackRing {
  readonly size: number
  readonly entryWords: number
  readonly entries: Int32Array
  /** What the front end wrote, entry by entry. */
  readonly shared: Int32Array
  /** Answers in the order of their numbers, `answered` of them; the front end consumes from `rspCons`. */
  readonly sharedAnswers: Int32Array
  sharedReqProd = 0
  sharedRspProd = 0
  /** What rsp_prod was when the back end wrote it last. */
  answeredTo = 0
  reqEvent = 1
  rspEvent = 1
  reqProd = 0

  constructor(size: number, layout: AbiLayout) {
    this.size = size
    this.entryWords = layout.entryWords
    this.entries = new Int32Array(size * layout.entryWords)
    this.shared = new Int32Array(size * layout.entryWords)
    this.sharedAnswers = new Int32Array(size * ANSWER_WORDS)
  }

  take(reqCons: number, rspProd: number, max: number): number {
    this.reqProd = this.sharedReqProd
    // What is consumed lies between rspProd and reqProd: who is a ring ahead lies, and so does who went back.
    const produced = (this.reqProd - rspProd) >>> 0
    if (produced > this.size || (reqCons - rspProd) >>> 0 > produced) return -1
    const count = Math.min((this.reqProd - reqCons) >>> 0, max)
    for (let index = 0; index < count; index++) {
      const from = ((reqCons + index) & (this.size - 1)) * this.entryWords
      this.entries.set(this.shared.subarray(from, from + this.entryWords), index * this.entryWords)
    }
    return count
  }

  peek(reqCons: number): number {
    this.reqProd = this.sharedReqProd
    return (this.reqProd - reqCons) >>> 0
  }

  answer(answers: Int32Array, count: number, rspProd: number): boolean {
    this.writeAnswers(answers, count, rspProd)
    const now = (rspProd + count) | 0
    this.sharedRspProd = this.answeredTo = now
    return (now - this.rspEvent) >>> 0 < (now - rspProd) >>> 0
  }

  /** Entries alone: requests and answers share their places, so the request that stood there is gone. */
  writeAnswers(answers: Int32Array, count: number, rspProd: number): void {
    for (let index = 0; index < count; index++) {
      const place = (rspProd + index) & (this.size - 1)
      const answer = answers.subarray(index * ANSWER_WORDS, (index + 1) * ANSWER_WORDS)
      this.sharedAnswers.set(answer, place * ANSWER_WORDS)
      this.shared.set(answer, place * this.entryWords)
    }
  }

  arm(reqCons: number): boolean {
    this.reqEvent = (reqCons + 1) | 0
    return this.sharedReqProd !== reqCons
  }

  published(): number {
    return this.sharedRspProd
  }

  close(): void {
    // Plain arrays: nothing to give back.
  }
}
