/**
 * @packageDocumentation
 * What `xbbd doctor` knows of a machine: plain facts without opinions, so that every judgement (judge.ts) can be tried
 * on machines that do not exist. collect.ts gathers them and is the only part that looks at the real one.
 */
import type { Problem } from '../config/load.js'
import type { Settings } from '../config/schema.js'

/** For whom rights are judged: the service's user when root asks, else whoever asks. */
export interface Person {
  readonly name: string
  readonly uid: number
  readonly gids: readonly number[]
}

/** A file's rights; undefined where one is written means that it is not there. */
export interface NodeRights {
  /** The low twelve bits of st_mode. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export const XEN_NODES = ['gntdev', 'evtchn', 'xenbus'] as const
export type XenNode = (typeof XEN_NODES)[number]

export interface Facts {
  readonly person: Person
  /** Whether the person is the one who asks: then what was tried counts for it, too. */
  readonly self: boolean
  readonly config: { readonly path: string; readonly problems: readonly Problem[] }
  /** The defaults where the configuration has problems. */
  readonly settings: Settings
  /** What `world` comes to on this machine. */
  readonly world: 'xen' | 'embedded'
  /** `none`: no Xen below this kernel. */
  readonly domain: 'none' | 'dom0' | 'guest'
  readonly nodes: Readonly<Record<XenNode, NodeRights | undefined>>
  /** Names as in /proc/modules, undefined when that cannot be read. */
  readonly modules: readonly string[] | undefined
  readonly blkback: {
    /** Its driver is registered, as a module or built in. */
    readonly loaded: boolean
    /** Devices that it has now: `vbd-5-51712`. */
    readonly devices: readonly string[]
    /** The module lies on the disk, and nothing in modprobe.d keeps it from being loaded for the first disk. */
    readonly loadable: boolean
  }
  readonly xenstore: { readonly ok: true } | { readonly ok: false; readonly sentence: string }
  readonly uring: {
    /** Why a real engine could not be opened. */
    readonly refusal: string | undefined
    /** kernel.io_uring_disabled: 1 = for the unprivileged, 2 = for all. */
    readonly disabled: number | undefined
  }
  readonly limits: {
    /** A daemon that runs has its own, which may be others than the shell's. */
    readonly ofDaemon: boolean
    /** Bytes, Infinity without a limit. */
    readonly memlock: number
    readonly nofile: number
  }
  readonly runDir: {
    /** Of the directory itself, or undefined when it is yet to be made. */
    readonly rights: NodeRights | undefined
    readonly tmpfs: boolean
    /** Bytes that are free there, and bytes that the journals of an earlier daemon already have. */
    readonly free: number
    readonly segments: number
    /** The process that serves it now. */
    readonly runningPid: number | undefined
  }
  /** The hotplug script's rights, undefined when it is not installed. */
  readonly script: NodeRights | undefined
}

export const HOTPLUG_SCRIPT = '/etc/xen/scripts/block-xbbd'
