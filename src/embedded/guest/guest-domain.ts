/**
 * @packageDocumentation
 * A guest of the pocket host, from the inside: memory and grant table mapped, ports over eventfds, XenStore through a
 * socket with the guest's own rights. The domain lives as long as its connection to the host; a front end's process
 * that dies takes its domain along, as a crashing guest does.
 */
import { join } from 'node:path'
import { closeDescriptor, map, unmap, view } from '../../io/native/owners.js'
import { Poller } from '../../io/native/poller.js'
import { eventfdWrite } from '../../io/native/shm.js'
import { connectXenStore } from '../../io/xenstore/client.js'
import { PAGE_BYTES } from '../../protocol/blkif.js'
import { XbbdError } from '../../protocol/errors.js'
import { guestXenStoreSocket, type HostOutcome } from '../host/wire.js'
import { HypervisorClient } from '../hypervisor-client.js'
import { GRANT_WORDS, GrantTable } from './grant-table.js'
import { GuestGrants, GuestMemory, type Guest, type GuestPort } from './guest.js'

export interface GuestDomainOptions {
  /** The host's directory. */
  readonly dir: string
  readonly name: string
  /** Pages of 4096 bytes; default 18 432 (72 MiB), enough for a 16-page ring of requests of 32 segments. */
  readonly pages?: number
  /** Default 20 480. */
  readonly grantEntries?: number
}

function granted(outcome: HostOutcome) {
  if (outcome.ok) return outcome
  throw new XbbdError(outcome.code, outcome.sentence, { exitCode: 69 })
}

/** A port over two eventfds. */
class EventfdGuestPort implements GuestPort {
  readonly port: number
  readonly #hear: number
  readonly #tell: number
  readonly #poller: Poller
  readonly #client: HypervisorClient
  #listener: (() => void) | undefined
  #closed = false

  constructor(port: number, hear: number, tell: number, client: HypervisorClient) {
    this.port = port
    this.#hear = hear
    this.#tell = tell
    this.#client = client
    this.#poller = new Poller(hear, 'eventfd', () => this.#listener?.(), true)
  }

  notify(): void {
    eventfdWrite(this.#tell)
  }

  onNotified(listener: () => void): void {
    this.#listener = listener
    this.#poller.resume()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#listener = undefined
    this.#poller.close()
    closeDescriptor(this.#hear)
    closeDescriptor(this.#tell)
    await this.#client.ask({ op: 'closePort', port: this.port })
  }
}

export class GuestDomain implements Guest {
  readonly domid: number
  readonly memory: GuestMemory
  readonly grants: GuestGrants
  /** The guest's own XenStore socket. */
  readonly xenstorePath: string
  readonly #client: HypervisorClient
  readonly #mappings: readonly number[]

  private constructor(client: HypervisorClient, domid: number, mappings: readonly number[], xenstorePath: string) {
    this.domid = domid
    this.#client = client
    this.#mappings = mappings
    this.xenstorePath = xenstorePath
    this.memory = new GuestMemory(new Uint8Array(view(mappings[0])))
    this.grants = new GuestGrants(new GrantTable(new Int32Array(view(mappings[1]))))
  }

  /** Creates a domain on the host in `dir`. Rejects with an {@link XbbdError}. */
  static async create(options: GuestDomainOptions): Promise<GuestDomain> {
    const { dir, name, pages = 18_432, grantEntries = 20_480 } = options
    const client = HypervisorClient.connect(dir)
    try {
      const { answer, handles } = granted(await client.ask({ op: 'createDomain', name, pages, grantEntries }))
      const [memory, table] = handles
      const mappings = [
        map(memory, pages * PAGE_BYTES, 0, true),
        map(table, grantEntries * GRANT_WORDS * 4, 0, true),
      ]
      handles.forEach(closeDescriptor)
      const domid = answer.domid ?? 0
      return new GuestDomain(client, domid, mappings, join(dir, guestXenStoreSocket(domid)))
    } catch (error) {
      client.close()
      throw error
    }
  }

  /** The front end's directory of a disk: `/local/domain/5/device/vbd/51712`. */
  vbdPath(devid: number): string {
    return `/local/domain/${this.domid}/device/vbd/${devid}`
  }

  /** A XenStore client with this guest's rights. */
  connectXenStore() {
    return connectXenStore(this.xenstorePath)
  }

  async allocatePort(remoteDomid: number): Promise<GuestPort> {
    const { answer, handles } = granted(await this.#client.ask({ op: 'allocatePort', remoteDomid }))
    return new EventfdGuestPort(answer.port ?? 0, handles[0], handles[1], this.#client)
  }

  /** The domain is destroyed. Ports must have been closed; typed arrays over its memory read undefined afterwards. */
  close(): void {
    this.#client.close()
    this.#mappings.forEach(unmap)
  }
}
