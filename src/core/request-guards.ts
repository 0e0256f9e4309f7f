/**
 * @packageDocumentation
 * The guards of the request chart, on columns: the compiled counterparts of those in machines/request.machine.ts. They
 * read and never write; the exhaustive agreement test holds both versions together.
 */
import { KIND, RequestColumns } from './request-columns.js'

export class RequestGuards extends RequestColumns {
  bringsData(slot: number): boolean {
    const kind = this.kind[slot]
    return kind === KIND.write || kind === KIND.flushWrite || kind === KIND.barrierWrite
  }

  syncsFirst(slot: number): boolean {
    const kind = this.kind[slot]
    return kind === KIND.flush || kind === KIND.flushWrite || kind === KIND.barrier
  }

  writesAfterSync(slot: number): boolean {
    return this.kind[slot] === KIND.flushWrite
  }

  syncsAfter(slot: number): boolean {
    return this.kind[slot] === KIND.barrierWrite
  }

  returnsData(slot: number): boolean {
    return this.kind[slot] === KIND.read
  }

  moreOutstanding(slot: number): boolean {
    return this.outstanding[slot] > 1
  }

  hasFailed(slot: number): boolean {
    return this.failed[slot] !== 0
  }

  metFull(slot: number): boolean {
    return this.full[slot] !== 0
  }
}
