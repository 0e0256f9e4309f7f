/**
 * @packageDocumentation
 * Failures of XenStore operations as errors with XenStore's own name in `code`. The sentence says what was tried:
 *
 *   XenStore refused WRITE /local/domain/0/x: EACCES
 *
 * Beside the names that xs_wire.h lists: ENOTCONN (the connection has ended), EPROTO (the other side does not keep
 * to the protocol). EBUSY is also what the client itself answers when its own queue is full.
 */
import type { XenStoreError } from '../../ports/xenstore.js'

/** The error that a client's promises reject with. */
export class XenStoreFailure extends Error implements XenStoreError {
  readonly code: string

  constructor(code: string, sentence: string) {
    super(sentence)
    this.name = 'XenStoreFailure'
    this.code = code
  }
}
