/**
 * @packageDocumentation
 * What `xbbd run` needs of a world, whichever it is: devices that can be asked things, and an end. The composition
 * (XenStore, host, media, queues, daemon) happens behind `OpenWorld`, one module per world; the process around it
 * (lock, log, control socket, signals) is the same for all and is tested with a world of its own.
 */
import type { JournalUse } from '../../observe/metrics.js'
import type { DaemonApi } from '../../ports/daemon-api.js'
import type { Settings } from '../config/schema.js'
import type { Refusal, ResumedQueue } from '../upgrade/dialogue.js'
import type { Log } from './log.js'

/** A daemon in its world. */
export interface World {
  /** Which one `auto` turned out to be. */
  readonly kind: 'xen' | 'embedded'
  readonly api: DaemonApi
  /** How much of the journals' memory is in use. */
  readonly journalUse: () => JournalUse
  /** By segment of the journals' pool, which one it is now. */
  readonly segmentSequences: () => Int32Array
  /** Takes over reloadable settings; devices attached from now on use them. */
  apply(settings: Settings): void
  /** Resolves when the world is gone (XenStore ended the connection, say), with the reason. */
  readonly lost: Promise<Error>
  /**
   * How queues that another process served are gone on with: resolves when each is, or is not going to be, or when the
   * time is up.
   */
  resumed(queues: readonly string[], withinMs: number): Promise<readonly ResumedQueue[]>
  /** When queues stopped taking, because another process takes over: by name, nanoseconds of the monotonic clock. */
  yielded(): ReadonlyMap<string, number>
  /** After a stop: lets go of everything that is left. */
  close(): Promise<void>
}

/** A world that is open but for what another process still holds. */
export interface Readiness {
  /** Why queues that the other serves could not be gone on with; none when all could. */
  rehearse(queues: readonly string[]): Promise<readonly Refusal[]>
  /** Resolves when it is as fast as it gets. */
  readonly warm: Promise<void>
}

/** Resolves when the other process has let go. */
export type AwaitTurn = (readiness: Readiness) => Promise<void>

/** Builds the world that `settings.world` names. Rejects with XbbdError. `awaitTurn`: another process is succeeded. */
export type OpenWorld = (settings: Settings, log: Log, awaitTurn?: AwaitTurn) => Promise<World>
