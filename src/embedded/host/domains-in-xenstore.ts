/**
 * @packageDocumentation
 * The toolstack's part at a domain's birth and death: its directory in XenStore, owned by domain 0 and readable by the
 * domain, its own socket, and the special watches @introduceDomain and @releaseDomain.
 *
 *   /local/domain/N          name, domid
 *   /local/domain/N/device   where disks are attached (toolstack.ts)
 *
 * Back-end directories of a domain that dies are not touched: back ends see the front end vanish and let go first.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { XenStoreClient } from '../../io/xenstore/client.js'
import { transportTo } from '../xenstored/in-process.js'
import { listenOn, type Listener } from '../xenstored/server.js'
import type { XenStored } from '../xenstored/xenstored.js'
import type { DomainListener } from './hypervisor.js'
import { guestXenStoreSocket, type DomainInfo } from './wire.js'

export class DomainsInXenStore implements DomainListener {
  readonly #dir: string
  readonly #server: XenStored
  readonly #store: XenStoreClient
  readonly #log: (sentence: string) => void
  readonly #sockets = new Map<number, Listener>()

  constructor(dir: string, server: XenStored, log: (sentence: string) => void) {
    this.#dir = dir
    this.#server = server
    this.#log = log
    this.#store = new XenStoreClient(transportTo(server, 0))
  }

  async created({ domid, name }: DomainInfo): Promise<void> {
    const home = `/local/domain/${domid}`
    const readable = [{ access: 'n', domid: 0 }, { access: 'r', domid }] as const
    this.#server.introduce(domid)
    await this.#store.transaction(async (ops) => {
      for (const path of [home, `${home}/device`, `${home}/device/vbd`]) {
        await ops.mkdir(path)
        await ops.setPermissions(path, readable)
      }
      for (const [key, value] of [['name', name], ['domid', String(domid)]] as const) {
        await ops.write(`${home}/${key}`, value)
        await ops.setPermissions(`${home}/${key}`, readable)
      }
    })
    this.#sockets.set(domid, await listenOn(this.#server, join(this.#dir, guestXenStoreSocket(domid)), domid))
    this.#log(`domain ${domid} (${name}) is there`)
  }

  async destroyed({ domid, name }: DomainInfo): Promise<void> {
    const socket = this.#sockets.get(domid)
    this.#sockets.delete(domid)
    await this.#store.remove(`/local/domain/${domid}`)
    this.#server.release(domid)
    await socket?.close()
    rmSync(join(this.#dir, guestXenStoreSocket(domid)), { force: true })
    this.#log(`domain ${domid} (${name}) is gone`)
  }
}
