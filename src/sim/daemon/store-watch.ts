/**
 * @packageDocumentation
 * Looks on at XenStore itself, change by change: hashes what was written, in order, and judges each state that the back
 * end publishes against PROTOCOL's table of states and against what is held at that moment.
 *
 *   1 ─► 2 ─► 4 ─► 5 ─► 6 ─► 2      4 ─► 4 a new size      any ─► 5, 6 with a reason      x ─► 2 a front end is back
 *
 * What must never be seen: InitWait without an open medium, Connected without a ring, Closed with anything held, and a
 * disk of an honest guest that closes for no reason.
 */
import type { XenStored } from '../../embedded/xenstored/xenstored.js'
import { RunDigest } from '../digest.js'
import { mayEnd, nameOf, type SimDevice } from './device.js'
import type { Blame } from './laws.js'
import type { DaemonProcess } from './process.js'

export interface StoreWatchParts {
  readonly server: XenStored
  readonly devices: () => readonly SimDevice[]
  readonly process: () => DaemonProcess | undefined
  readonly blame: Blame
  readonly log: (line: string) => void
  readonly nowNs: () => number
}

/** A state that was written may be overtaken by what its writer does next. */
const UNDER_WAY_NS = 20e6

/** By the state before; a directory that is new says 1. */
const LEGAL: Readonly<Record<string, string>> = { 1: '1256', 2: '2456', 4: '4562', 5: '5624', 6: '6251' }

export class StoreWatch {
  readonly digest = new RunDigest()
  /** Changes seen. */
  changes = 0
  readonly #parts: StoreWatchParts
  readonly #states = new Map<string, string>()

  constructor(parts: StoreWatchParts) {
    this.#parts = parts
    const tell = (path: string) => this.#changed(path)
    parts.server.watches.add({ domid: 0, path: '/', relative: false, token: 'sim', tell })
  }

  #changed(path: string): void {
    const value = this.#parts.server.tree.find(path)?.value.toString()
    this.changes++
    this.digest.text(path)
    this.digest.text(value ?? '')
    if (value === undefined) this.#removed(path)
    if (!path.endsWith('/state')) return
    this.#parts.log(`${path} = ${value ?? 'gone'}`)
    for (const device of this.#parts.devices()) {
      const { backend, frontend } = device.place
      if (path === `${backend}/state`) this.#judge(device, value)
      else if (path === `${frontend}/state`) this.#heard(device, value)
    }
  }

  /** What a front end says counts from when it stands in XenStore: the back end cannot know of it before. */
  #heard(device: SimDevice, value: string | undefined): void {
    const connected = this.#states.get(nameOf(device)) === '4'
    if (value === '5' || value === '6') device.passing.add('closing')
    else if (connected && (value === '1' || value === '3')) device.passing.add('restarted')
  }

  /** A directory goes as a whole; a new one begins anew. */
  #removed(path: string): void {
    for (const device of this.#parts.devices())
      if (device.place.backend.startsWith(path)) this.#states.delete(nameOf(device))
  }

  #judge(device: SimDevice, value: string | undefined): void {
    const name = nameOf(device)
    const before = this.#states.get(name)
    if (value === undefined) return void this.#states.delete(name)
    this.#states.set(name, value)
    if (before === undefined) return
    const { blame } = this.#parts
    if (!LEGAL[before]?.includes(value)) blame('states', `${name}: the back end goes from state ${before} to ${value}`)
    const now = this.#parts.nowNs()
    const { host } = this.#parts.process() ?? {}
    const held = host?.holdsOf(device.place.domid) === true
    const open = device.store.holders.some(({ life, closed }) => life.alive && !closed)
    if (value === '2' && host && !open && now - device.store.openUntilNs > UNDER_WAY_NS)
      blame('states', `${name}: InitWait without a medium`)
    if (value === '4' && host && !held && now - host.heldUntilNs(device.place.domid) > UNDER_WAY_NS)
      blame('states', `${name}: Connected without a ring`)
    if (value === '6' && before !== '6' && this.#owns(device) && (held || open))
      blame('states', `${name}: Closed with something held`)
    const ends = (value === '5' || value === '6') && before !== '6'
    if (ends && !mayEnd(device)) blame('states', `${name}: it is closed (${value}) for no reason`)
    // Of the connection before; who is on the way out again has a reason still.
    const frontend = this.#parts.server.tree.find(`${device.place.frontend}/state`)?.value.toString() ?? ''
    if (value === '2' && !'56'.includes(frontend)) device.passing.clear()
  }

  /** No other device of the domain could be what is held. */
  #owns({ place: { domid } }: SimDevice): boolean {
    return this.#parts.devices().filter(({ place }) => place.domid === domid).length === 1
  }
}
