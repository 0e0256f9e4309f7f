/**
 * @packageDocumentation
 * Every setting of the daemon, as data. From this one table come the parser's checks, `packaging/xbbd.conf.example`,
 * the flags of `xbbd run`, `xbbd config show`, the shell completion and the type {@link Settings}; nothing about a
 * setting is written down anywhere else.
 *
 *   key           dotted; the flag is `--` and the key with dots as hyphens (journal.size, --journal-size)
 *   fallback      the default, as an operator would write it, so that it passes through the same parser
 *   reloadable    SIGHUP may change it in a running daemon; the rest waits for the next start and the daemon says so
 *   doc           one sentence: what it does, and what goes wrong at the ends of its range where that is not plain
 *
 * A setting that no code reads must not stand here, and no limit or pool of the daemon may live outside of it.
 */
import { BLKIF_MAX_SEGMENTS_PER_REQUEST } from '../../protocol/blkif.js'
import { BLOCK_SEGMENTS_LIMIT } from '../../protocol/blocks.js'
import { INDIRECT_SEGMENTS_LIMIT } from '../../protocol/indirect.js'
import { DOMID_MAX, QUEUES_LIMIT } from '../../protocol/keys.js'
import { BPS_MAX, IOPS_MAX } from '../../protocol/rate-limit.js'
import type { Kind, ValueOf } from './kinds.js'

/** One setting. */
export interface Setting {
  readonly kind: Kind
  readonly fallback: string
  readonly reloadable: boolean
  readonly doc: string
}

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB
const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Other machines are not to reach it: an address of the loopback, a port from 1 to 65535. */
const LOOPBACK_PORT =
  /^$|^(127\.0\.0\.1|\[::1\]):([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/

const fixed = { reloadable: false } as const
const live = { reloadable: true } as const

/** Settings by key, in the order in which they are shown. */
export const schema = {
  world: {
    ...fixed,
    kind: { type: 'choice', values: ['auto', 'xen', 'embedded'] },
    fallback: 'auto',
    doc: 'The hypervisor: xen, or embedded for the pocket host of `xbbd host`; auto is xen if /dev/xen/gntdev exists.',
  },
  'run.dir': {
    ...fixed,
    kind: { type: 'path' },
    fallback: '/run/xbbd',
    doc: 'Directory of lock, control socket and journals; on a tmpfs, so that journals survive the process alone.',
  },
  'host.dir': {
    ...fixed,
    kind: { type: 'path', optional: true },
    fallback: '',
    doc: 'Directory in which the pocket host offers its sockets; empty means host below run.dir.',
  },
  'xenstore.path': {
    ...fixed,
    kind: { type: 'path', optional: true },
    fallback: '',
    doc: 'Device or socket of XenStore; empty means /dev/xen/xenbus, else where xenstored or the pocket host listens.',
  },
  'control.socket': {
    ...fixed,
    kind: { type: 'path', optional: true },
    fallback: '',
    doc: 'Unix socket on which the daemon takes commands, readable by its owner only; empty means control in run.dir.',
  },
  'metrics.listen': {
    ...fixed,
    kind: { type: 'word', pattern: LOOPBACK_PORT, says: 'empty, or a loopback address and port: 127.0.0.1:9808' },
    fallback: '',
    doc: 'Where Prometheus may fetch /metrics, as 127.0.0.1:9808 or [::1]:9808; empty: on the control socket alone.',
  },
  'page.listen': {
    ...fixed,
    kind: { type: 'word', pattern: LOOPBACK_PORT, says: 'empty, or a loopback address and port: 127.0.0.1:9809' },
    fallback: '',
    doc: 'Where browsers may open the page, as 127.0.0.1:9809; its address is in run.dir/page; empty: by `xbbd view`.',
  },
  'backend.domid': {
    ...fixed,
    kind: { type: 'integer', min: 0, max: DOMID_MAX },
    fallback: '0',
    doc: 'Domain in which the daemon runs: 0, or the number of a driver domain.',
  },
  'backend.type': {
    ...fixed,
    kind: { type: 'word', pattern: /^[a-z][a-z0-9]{0,31}$/, says: 'a lower-case name, such as vbd or vbd3' },
    fallback: 'vbd',
    doc: 'Directory below backend/ in XenStore that is watched for devices; tools that know tapback use vbd3.',
  },
  'abi.default': {
    ...live,
    kind: { type: 'choice', values: ['native', 'x86_64', 'x86_32'] },
    fallback: 'native',
    doc: 'Layout of ring entries for a front end that names none; native is that of the machine, x86_64.',
  },
  'grants.mode': {
    ...live,
    kind: { type: 'choice', values: ['copy', 'map', 'persistent'] },
    fallback: 'copy',
    doc: 'How bytes reach guest pages: copied by Xen, mapped per batch, or kept mapped for guests that agree to it.',
  },
  'ring.max-page-order': {
    ...live,
    kind: { type: 'integer', min: 0, max: 4 },
    fallback: '4',
    doc: 'Largest ring that is offered, as a power of two of pages: 0 is 32 requests in flight, 4 is 512.',
  },
  'ring.max-queues': {
    ...live,
    kind: { type: 'integer', min: 0, max: QUEUES_LIMIT },
    fallback: '0',
    doc: 'Most rings of one device, each on some worker; 0 is as many as workers. On a buffered medium always one.',
  },
  'requests.indirect-segments': {
    ...live,
    kind: { type: 'integer', min: 0, max: INDIRECT_SEGMENTS_LIMIT },
    fallback: '32',
    doc: 'Most pages of a request by indirect descriptors, 0 offers none; each queue has so many in reserve.',
  },
  'requests.block-segments': {
    ...live,
    kind: { type: 'integer', min: BLKIF_MAX_SEGMENTS_PER_REQUEST, max: BLOCK_SEGMENTS_LIMIT },
    fallback: '11',
    doc: 'Most pages of a request in several ring entries, as front ends of 2010 ask for; 11 offers none.',
  },
  'requests.slots-max': {
    ...live,
    kind: { type: 'integer', min: 1, max: 512 },
    fallback: '512',
    doc: 'Most requests of one queue in work at once; fewer than the ring holds make the rest wait in Shortage.',
  },
  'requests.batch': {
    ...live,
    kind: { type: 'integer', min: 1, max: 512 },
    fallback: '64',
    doc: 'Most requests taken from one ring before the next ring of the same worker has its turn.',
  },
  'requests.mode': {
    ...fixed,
    kind: { type: 'choice', values: ['compiled', 'xstate'] },
    fallback: 'compiled',
    doc: 'How request charts run: compiled to generated code, or xstate for inspection, some hundred times slower.',
  },
  workers: {
    ...fixed,
    kind: { type: 'integer', min: 1, max: 64 },
    fallback: '1',
    doc: 'Threads that serve queues; each costs about 12 MiB and its own arena.',
  },
  'arena.size': {
    ...fixed,
    kind: { type: 'size', min: MiB, max: 4 * GiB, multipleOf: 64 * KiB },
    fallback: '16M',
    doc: 'Memory of each worker through which the bytes of requests pass; too little of it shows as Shortage.',
  },
  'spin.max-us': {
    ...fixed,
    kind: { type: 'integer', min: 0, max: 10_000 },
    fallback: '1000',
    doc: 'Microseconds that a worker polls for more work at most, never longer than a wake-up is worth; 0 never polls.',
  },
  'journal.size': {
    ...fixed,
    kind: { type: 'size', min: 4 * MiB, max: 64 * GiB, multipleOf: MiB },
    fallback: '64M',
    doc: 'All journals together, in run.dir; every queue and device keeps at least two segments.',
  },
  'journal.mode': {
    ...live,
    kind: { type: 'choice', values: ['inputs', 'full', 'off'] },
    fallback: 'inputs',
    doc: 'inputs is enough for replay and recovery, full adds every transition, off is for measurements only.',
  },
  'medium.engine': {
    ...live,
    kind: { type: 'choice', values: ['auto', 'io_uring', 'threads', 'inline'] },
    fallback: 'auto',
    doc: 'Who moves the bytes: auto is io_uring (threads where forbidden), and inline for files on a tmpfs.',
  },
  'medium.direct': {
    ...live,
    kind: { type: 'boolean' },
    fallback: 'yes',
    doc: 'Go around the page cache (O_DIRECT) where the file system allows it.',
  },
  'medium.depth': {
    ...live,
    kind: { type: 'integer', min: 1, max: 4096 },
    fallback: '256',
    doc: 'Most I/Os of one queue that its medium has in hand at once.',
  },
  'medium.merge-size': {
    ...live,
    kind: { type: 'size', min: 0, max: 16 * MiB, multipleOf: 4 * KiB },
    fallback: '256K',
    doc: 'Neighbouring requests go to a file or block device as one transfer of at most so much; 0: each goes alone.',
  },
  'medium.on-enospc': {
    ...live,
    kind: { type: 'choice', values: ['error', 'wait'] },
    fallback: 'error',
    doc: 'A write that finds the medium full (a thin image) is answered with an error, or waits until there is space.',
  },
  'nbd.reconnect-time': {
    ...live,
    kind: { type: 'duration', min: 0, max: 24 * HOUR },
    fallback: '1m',
    doc: 'How long requests are held while an NBD server is away; then they fail with EIO and the disk is closed.',
  },
  'nbd.replay-size': {
    ...live,
    kind: { type: 'size', min: 0, max: GiB, multipleOf: 64 * KiB },
    fallback: '16M',
    doc: 'Unflushed writes kept to be sent again to an NBD server that restarts; 0: each is made durable, many queues.',
  },
  'nbd.fence-time': {
    ...live,
    kind: { type: 'duration', min: 0, max: 10 * MINUTE },
    fallback: '3s',
    doc: 'Pause before requests are sent again where an NBD server may still be at work for an older connection.',
  },
  'limit.iops': {
    ...live,
    kind: { type: 'integer', min: 0, max: IOPS_MAX },
    fallback: '0',
    doc: 'Requests a second of each disk whose toolstack sets no limit-iops; 0 is no limit.',
  },
  'limit.iops-burst': {
    ...live,
    kind: { type: 'integer', min: 0, max: IOPS_MAX },
    fallback: '0',
    doc: 'Requests that may go at once after a rest, under limit.iops; 0 is as many as in a tenth of a second.',
  },
  'limit.bps': {
    ...live,
    kind: { type: 'size', min: 0, max: BPS_MAX },
    fallback: '0',
    doc: 'Bytes a second of each disk whose toolstack sets no limit-bps; 0 is no limit.',
  },
  'limit.bps-burst': {
    ...live,
    kind: { type: 'size', min: 0, max: BPS_MAX },
    fallback: '0',
    doc: 'Bytes that may go at once after a rest, under limit.bps; 0 is as many as in a tenth of a second.',
  },
  'discard.enable': {
    ...live,
    kind: { type: 'boolean' },
    fallback: 'yes',
    doc: 'Offer discard to guests on media that can deallocate.',
  },
  'discard.mode': {
    ...live,
    kind: { type: 'choice', values: ['deallocate', 'zeroes'] },
    fallback: 'deallocate',
    doc: 'What a discard does to a block device; zeroes: it reads as zeroes then, where the device writes them itself.',
  },
  'restart.max': {
    ...live,
    kind: { type: 'integer', min: 0, max: 1000 },
    fallback: '5',
    doc: 'How often a crashed device is started again within restart.period before it stays Failed.',
  },
  'restart.period': {
    ...live,
    kind: { type: 'duration', min: 1000, max: 24 * HOUR },
    fallback: '1m',
    doc: 'The period over which restart.max counts.',
  },
  'park.timeout': {
    ...live,
    kind: { type: 'duration', min: 0, max: 24 * HOUR },
    fallback: '1m',
    doc: 'How long stopping waits for media that do not answer before it says what is left; 0 waits for ever.',
  },
  inspect: {
    ...fixed,
    kind: { type: 'word', pattern: /^$|^wss?:\/\/[^\s/]+\S*$/, says: 'empty, or an address: ws://localhost:8080' },
    fallback: '',
    doc: 'WebSocket of a Stately inspector that is told what devices do, in full, and some requests; empty is nobody.',
  },
  'log.level': {
    ...live,
    kind: { type: 'choice', values: ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] },
    fallback: 'info',
    doc: 'Least important line that still goes to the log on standard error.',
  },
} as const satisfies Readonly<Record<string, Setting>>

/** The name of a setting. */
export type SettingKey = keyof typeof schema

/** All settings, parsed: sizes in bytes, durations in milliseconds. */
export type Settings = { readonly [K in SettingKey]: ValueOf<(typeof schema)[K]['kind']> }

/** The keys in the schema's order. */
export const settingKeys = Object.keys(schema) as SettingKey[]

/** The schema's row, with its type widened to what every row has. */
export function settingOf(key: SettingKey): Setting {
  return schema[key]
}

/** Whether `text` names a setting. */
export function isSettingKey(text: string): text is SettingKey {
  return Object.hasOwn(schema, text)
}
