/**
 * @packageDocumentation
 * XenStore without sockets: the server and its clients in one thread, joined by queues that microtasks empty. It uses
 * no timer, no randomness and no I/O, so that a simulation or a test that uses it runs the same way every time.
 *
 *   client ── write ─► queue ─ microtask ─► server connection
 *   client ◄─ microtask ─ queue ◄── send ── server connection
 *
 * Both sides speak the real wire protocol, so that what passes here passes on a socket. Bytes never arrive within the
 * call that sent them: nobody is re-entered.
 */
import { XenStoreClient } from '../../io/xenstore/client.js'
import { XenStoreFailure } from '../../io/xenstore/error.js'
import type { Transport } from '../../io/xenstore/transport.js'
import type { Quotas } from './rights.js'
import { XenStored } from './xenstored.js'

/** A queue of steps, each run in a microtask of its own, in order. */
function microtaskQueue(): Carrier {
  const steps: (() => void)[] = []
  const run = (): void => {
    steps.shift()?.()
    if (steps.length > 0) queueMicrotask(run)
  }
  return (step) => {
    if (steps.push(step) === 1) queueMicrotask(run)
  }
}

/** Carries steps from one side to the other, in order; when, is its own affair. */
export type Carrier = (step: () => void) => void

/** A transport to `server` with the rights of `domid`; a simulation gives carriers that take their time. */
export function transportTo(
  server: XenStored, domid: number, toServer: Carrier = microtaskQueue(), toClient: Carrier = microtaskQueue(),
): Transport & { readonly leave: () => void } {
  let receive: (chunk: Uint8Array) => void = () => {}
  let ended: (reason: Error | undefined) => void = () => {}
  let open = true
  const connection = server.connect(domid, {
    send: (bytes) => toClient(() => open && receive(bytes)),
    end: (reason) =>
      toClient(() => {
        if (!open) return
        open = false
        ended(new XenStoreFailure('ENOTCONN', `XenStore ended the connection: ${reason}`))
      }),
  })
  return {
    leave: () => connection.left(),
    write: (bytes) => toServer(() => open && connection.receive(bytes)),
    onBytes: (handler) => (receive = handler),
    onClose: (handler) => (ended = handler),
    close: () => {
      if (!open) return
      open = false
      connection.left()
      queueMicrotask(() => ended(undefined))
    },
  }
}

/** A client of a server in this thread, over carriers of its own; `leave`: as when its process is dead. */
export function connectOver(
  server: XenStored, domid: number, toServer: Carrier, toClient: Carrier,
): { readonly client: XenStoreClient; readonly leave: () => void } {
  const transport = transportTo(server, domid, toServer, toClient)
  return { client: new XenStoreClient(transport), leave: transport.leave }
}

/** A server in this thread, one client, and as many more as wanted. */
export interface InProcessXenStore {
  readonly server: XenStored
  /** With the rights of the domid given to {@link inProcessXenStore}. */
  readonly client: XenStoreClient
  /** A further client, with the rights of `domid`. */
  connectAs(domid: number): XenStoreClient
}

/** Starts an empty server and connects to it as `domid` (0: the control domain). */
export function inProcessXenStore(domid = 0, quotas: Partial<Quotas> = {}): InProcessXenStore {
  const server = new XenStored(quotas)
  const connectAs = (id: number): XenStoreClient => new XenStoreClient(transportTo(server, id))
  return { server, client: connectAs(domid), connectAs }
}
