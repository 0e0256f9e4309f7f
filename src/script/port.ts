/**
 * @packageDocumentation
 * What a script can do to a back end and see of it, without saying how: pages and grants, a shared ring as a front end
 * sees it, nodes of XenStore, the death of the daemon, time. The embedded host (embedded/script-port.ts) and the
 * simulated world (sim/script-port.ts) implement it; everything that a script means stands above it, once.
 *
 *   run.ts ─► front.ts (requests, answers) ─► ScriptPort ─► back end
 *
 * A port never judges. What it cannot do it says in `lacks`, and the script that wants it is refused before it begins.
 */
import type { AbiLayout, BlkifAbiName } from '../protocol/abi.js'
import type { DiskChange, IndexName, XenbusState } from './ast.js'

export const ABILITIES = ['xenstore', 'mappings', 'queues', 'processes'] as const
/**
 * Keys and states · pages that stay mapped · several rings, or a ring made anew · a daemon that stops in good order.
 */
export type Ability = (typeof ABILITIES)[number]

/** A page of the guest's. */
export interface ScriptPage {
  readonly gref: number
  readonly bytes: Uint8Array
}

/** One ring, from the front end's side. Nothing here is checked. */
export interface ScriptRing {
  /** Entries. */
  readonly size: number
  readonly layout: AbiLayout
  /** The words of the entry in this place, to be read and written. */
  entry(place: number): Int32Array
  index(name: IndexName): number
  setIndex(name: IndexName, value: number): void
  /** Copies answer number `index` (free-running) to `out`: idLow · idHigh · operation · status. */
  answer(index: number, out: Int32Array): void
  notify(): void
}

/** How a script wants its world, gathered from its first lines. */
export interface Setting {
  readonly abi: BlkifAbiName
  readonly disk: readonly DiskChange[]
  readonly settings: Readonly<Record<string, string>>
  /** The script kills or stops the daemon: what is on the disk must outlive it. */
  readonly outlives: boolean
  /** Requests are told apart by their ids, and nothing is touched behind the back of anybody: laws may watch. */
  readonly lawful: boolean
}

export interface RingWish {
  readonly pages: number
  readonly queues: number
}

export interface ScriptPort {
  /** `embedded`, `simulated`. */
  readonly name: string
  readonly lacks: ReadonlySet<Ability>
  /** Once, before everything else. */
  begin(setting: Setting): Promise<void>
  /** Makes rings, grants them and opens their channels; what there was is given back. */
  makeRings(wish: RingWish): Promise<readonly ScriptRing[]>
  /** Connects over the rings made: every step of the handshake. Rejects with what was waited for in vain. */
  connect(persistent: boolean): Promise<void>
  /** A page that is granted as it says; rejects when the guest has no more. */
  makePage(grant: 'read-write' | 'read-only' | 'none'): ScriptPage
  /** Nobody needs it any more. */
  dropPage(page: ScriptPage): void
  grant(page: ScriptPage, readOnly: boolean): void
  /** @returns false, with nothing changed, while the back end has it mapped. */
  revoke(page: ScriptPage): boolean
  mapped(page: ScriptPage): boolean
  ringMapped(): boolean

  /** Writes the transport's keys, all as they should be. */
  writeKeys(persistent: boolean): Promise<void>
  /** A node of the front end's directory; undefined removes it. `$ref0`, `$port`: what these really are. */
  writeKey(key: string, value: string | undefined): Promise<void>
  writeState(state: XenbusState): Promise<void>
  /** A node of the back end's directory. */
  readKey(key: string): Promise<string | undefined>

  changeDisk(change: DiskChange): Promise<void>
  /** The daemon dies at once; is asked to stop, and has; another one begins. */
  kill(): Promise<void>
  stop(): Promise<void>
  start(): Promise<void>
  /** Closes as the protocol asks, and gives rings and channels back. */
  close(): Promise<void>
  /** The guest is gone, as it stands. */
  vanish(): Promise<void>

  /** Lets time pass until `holds`, at most `ms`. @returns whether it came to that. */
  until(holds: () => boolean | Promise<boolean>, ms: number): Promise<boolean>
  /** What watched has to say at the end: broken laws; a daemon that died by itself. */
  complaints(): readonly string[]
  /** Gives everything back, whatever state it is in. */
  end(): Promise<void>
}
