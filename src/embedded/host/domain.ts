/**
 * @packageDocumentation
 * One domain of the pocket host: its memory, its grant table, its event-channel ports. The memory is a memfd that can
 * neither shrink nor grow, so that whoever maps it can trust its size for ever.
 *
 *   port ── unbound: reserved for one domain ──bind──► bound to a session ──the session unbinds or ends──► unbound
 *
 *   toBack   the guest writes, the back end reads          toFront   the back end writes, the guest reads
 *
 * An eventfd counts what nobody reads; a kick on an unbound port is made to vanish by emptying it at the next bind,
 * which then sets it pending once, as Xen does because notifications may have been lost.
 */
import { closeDescriptor, map, unmap, view } from '../../io/native/owners.js'
import { eventfdCreate, eventfdRead, eventfdWrite, memfdCreate } from '../../io/native/shm.js'
import { PAGE_BYTES } from '../../protocol/blkif.js'
import { GRANT_WORDS, GrantTable } from '../guest/grant-table.js'

/** Ports of one domain. */
const MAX_PORTS = 1024

export interface Port {
  readonly port: number
  readonly remoteDomid: number
  readonly toBack: number
  readonly toFront: number
  bound: boolean
}

export class Domain {
  readonly domid: number
  readonly name: string
  readonly pages: number
  /** Handles of the memfds. */
  readonly memory: number
  readonly table: number
  readonly grants: GrantTable
  readonly #tableMapping: number
  readonly #ports = new Map<number, Port>()
  /** How often each reference is mapped. */
  readonly #pins = new Map<number, number>()
  alive = true

  constructor(domid: number, name: string, pages: number, grantEntries: number) {
    this.domid = domid
    this.name = name
    this.pages = pages
    this.memory = memfdCreate(`xbbd-domain-${domid}`, pages * PAGE_BYTES)
    this.table = memfdCreate(`xbbd-grants-${domid}`, grantEntries * GRANT_WORDS * 4)
    this.#tableMapping = map(this.table, grantEntries * GRANT_WORDS * 4, 0, true)
    this.grants = new GrantTable(new Int32Array(view(this.#tableMapping)))
  }

  port(port: number): Port | undefined {
    return this.#ports.get(port)
  }

  /** A new unbound port that `remoteDomid` may bind to; undefined when there are too many. */
  allocatePort(remoteDomid: number): Port | undefined {
    let port = 1
    while (this.#ports.has(port)) port++
    if (port > MAX_PORTS) return undefined
    const made: Port = { port, remoteDomid, toBack: eventfdCreate(), toFront: eventfdCreate(), bound: false }
    this.#ports.set(port, made)
    return made
  }

  /** The other side keeps its descriptors, which nobody reads or writes any more. */
  closePort(number: number): boolean {
    const port = this.#ports.get(number)
    if (!port) return false
    this.#ports.delete(number)
    closeDescriptor(port.toBack)
    closeDescriptor(port.toFront)
    return true
  }

  /** Takes hold of an unbound port: what was counted is forgotten, then it is pending once. */
  bind(port: Port): void {
    port.bound = true
    eventfdRead(port.toBack)
    eventfdWrite(port.toBack)
  }

  /** Pins all references for `domid`. @returns their frames, or the first reference that permits no such mapping. */
  pin(grefs: readonly number[], domid: number): { frames: number[] } | { bad: number } {
    const frames: number[] = []
    const pinned: number[] = []
    for (const gref of grefs) {
      const frame = this.grants.pin(gref, domid)
      if (frame !== undefined) {
        pinned.push(gref)
        this.#pins.set(gref, (this.#pins.get(gref) ?? 0) + 1)
      }
      if (frame === undefined || frame >= this.pages) {
        this.unpin(pinned)
        return { bad: gref }
      }
      frames.push(frame)
    }
    return { frames }
  }

  unpin(grefs: readonly number[]): void {
    if (!this.alive) return
    for (const gref of grefs) {
      const count = (this.#pins.get(gref) ?? 1) - 1
      if (count > 0) this.#pins.set(gref, count)
      else {
        this.#pins.delete(gref)
        this.grants.unpin(gref)
      }
    }
  }

  /** What others have mapped of it stays theirs; nothing new can be had or copied by its grants. */
  destroy(): void {
    this.alive = false
    this.grants.words.fill(0)
    for (const port of [...this.#ports.keys()]) this.closePort(port)
    unmap(this.#tableMapping)
    closeDescriptor(this.memory)
    closeDescriptor(this.table)
  }
}
