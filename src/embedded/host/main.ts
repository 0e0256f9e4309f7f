/**
 * @packageDocumentation
 * The pocket host as a process: what Xen, xenstored and the toolstack's part at a domain's birth and death are on a
 * real machine. It owns what front ends and back ends must be able to lose each other over: guest memory, grant
 * tables, event channels, XenStore.
 *
 *   DIR/xenstore      XenStore for domain 0 (daemon, xenstore-* tools through XENSTORED_PATH)
 *   DIR/xenstore.N    the same for guest N, with its rights
 *   DIR/hypervisor    wire.ts
 *
 * One host per directory: a second one is refused while the first lives.
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { MessageListener, MessageSocket } from '../../io/native/message-socket.js'
import { XbbdError, codeOf, sentenceOf } from '../../protocol/errors.js'
import { listenOn } from '../xenstored/server.js'
import { XenStored } from '../xenstored/xenstored.js'
import { DomainsInXenStore } from './domains-in-xenstore.js'
import { Hypervisor, type HypervisorLimits } from './hypervisor.js'
import { Session } from './session.js'
import {
  HYPERVISOR_SOCKET, XENSTORE_SOCKET, decodeMessage, encodeMessage, type HostReply, type HostRequest,
} from './wire.js'

/** Requests of one connection that may wait; more end it. */
const MAX_WAITING = 1024

export interface RunHostOptions {
  /** Made if it does not exist. */
  readonly dir: string
  /** One sentence per event of a domain's life. */
  readonly log?: (sentence: string) => void
  readonly limits?: Partial<HypervisorLimits>
}

export interface RunningHost {
  readonly dir: string
  /** For XENSTORED_PATH and `connectXenStore`. */
  readonly xenstorePath: string
  readonly hypervisorPath: string
  /** Destroys all domains and ends all connections. */
  close(): Promise<void>
}

/** Starts the host. Rejects with an {@link XbbdError} when another one runs in `dir`, or it cannot be used. */
export async function runHost(options: RunHostOptions): Promise<RunningHost> {
  const { dir, log = () => undefined } = options
  const hypervisorPath = join(dir, HYPERVISOR_SOCKET)
  const xenstorePath = join(dir, XENSTORE_SOCKET)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  refuseSecond(hypervisorPath)
  const server = new XenStored()
  const hypervisor = new Hypervisor(new DomainsInXenStore(dir, server, log), options.limits)
  const sockets = new Set<{ drop(): void }>()
  const endings = new Set<Promise<void>>()
  const listener = new MessageListener(hypervisorPath, 0o600, (socket) => {
    const session = new Session(hypervisor)
    const connection = serve(socket, session, () => {
      sockets.delete(connection)
      const ending = session.end().finally(() => endings.delete(ending))
      endings.add(ending)
    })
    sockets.add(connection)
  })
  const xenstore = await listenOn(server, xenstorePath, 0)
  chmodSync(xenstorePath, 0o600)
  log(`the embedded host is ready in ${dir}`)
  const close = async () => {
    listener.close()
    for (const socket of [...sockets]) socket.drop()
    await Promise.all(endings)
    await hypervisor.close()
    server.close()
    await xenstore.close()
    rmSync(xenstorePath, { force: true })
  }
  return { dir, xenstorePath, hypervisorPath, close }
}

/** A socket that nobody listens on is a dead host's and is removed. */
function refuseSecond(path: string): void {
  if (!existsSync(path)) return
  try {
    MessageSocket.connect(path).close()
  } catch (error) {
    if (codeOf(error) === 'ECONNREFUSED') return rmSync(path)
    const sentence = `cannot use ${path} (${sentenceOf(error)}): choose another directory with --dir`
    throw new XbbdError('XBBD_HOST_DIR', sentence, { cause: error, exitCode: 73 })
  }
  const sentence = `an embedded host runs already at ${path}: stop it, or use it`
  throw new XbbdError('XBBD_HOST_RUNS', sentence, { exitCode: 69 })
}

/** Executes the requests of one connection one after the other. `ended` is called once. */
function serve(socket: MessageSocket, session: Session, ended: () => void): { drop(): void } {
  let last = Promise.resolve()
  let waiting = 0
  const drop = () => {
    if (!socket.open) return
    socket.close()
    ended()
  }
  const execute = async (message: Record<string, unknown>) => {
    const id = typeof message.id === 'number' ? message.id : -1
    // Each field is checked where it is used, and an unknown operation is refused there too.
    const outcome = await session.execute(message as unknown as HostRequest)
    const reply: HostReply = outcome.ok ? { id, ok: true, answer: outcome.answer } : { id, ...outcome }
    waiting--
    // A client that does not read its replies is not served any more.
    if (socket.open && !socket.send(encodeMessage(reply), outcome.ok ? outcome.handles : [])) drop()
  }
  socket.listen({
    message: (bytes) => {
      const message = decodeMessage(bytes)
      if (!message || ++waiting > MAX_WAITING) return drop()
      last = last.then(() => execute(message)).catch(drop)
    },
    end: ended,
  })
  return { drop }
}
