/**
 * @packageDocumentation
 * What must hold between settings, beyond each one's own limits. Every check is a sentence with the cure, filed under
 * the setting that the operator should most likely change. Checks that need the machine (is there room in run.dir?)
 * are not made here: this is pure, so that `xbbd config check` says the same on every machine.
 */
import { PAGE_BYTES } from '../../protocol/blkif.js'
import { formatSize } from '../units.js'
import type { SettingKey, Settings } from './schema.js'

/** A problem between settings, and the setting to look at. */
export interface CrossProblem {
  readonly key: SettingKey
  readonly sentence: string
}

/** sizeof sun_path, less the NUL. */
const SOCKET_PATH_BYTES_MAX = 107
/** A busy queue's journal keeps two segments of this size (DESIGN: the journal's place). */
const SEGMENT_BYTES = 1024 * 1024

/** A rule, with the settings it reads: it is applied when all of them could be read. */
interface Rule {
  readonly reads: readonly SettingKey[]
  check(settings: Settings): CrossProblem | undefined
}

function burstNeedsRate(rate: 'limit.iops' | 'limit.bps'): Rule {
  const burst = `${rate}-burst` as const
  return {
    reads: [rate, burst],
    check(settings) {
      if (settings[burst] === 0 || settings[rate] !== 0) return undefined
      return { key: burst, sentence: `${burst} is set, but ${rate} is not: set ${rate}, or leave both out` }
    },
  }
}

const rules: readonly Rule[] = [
  burstNeedsRate('limit.iops'),
  burstNeedsRate('limit.bps'),
  {
    reads: ['journal.size', 'workers'],
    check({ 'journal.size': size, workers }) {
      const least = 2 * SEGMENT_BYTES * (workers + 1)
      if (size >= least) return undefined
      const sentence =
        `journal.size = ${formatSize(size)} cannot hold one busy queue per worker: ` +
        `with workers = ${workers} give it at least ${formatSize(least)}`
      return { key: 'journal.size', sentence }
    },
  },
  {
    reads: ['arena.size', 'requests.indirect-segments'],
    check({ 'arena.size': size, 'requests.indirect-segments': segments }) {
      const least = segments * PAGE_BYTES
      if (size >= least) return undefined
      const sentence =
        `arena.size = ${formatSize(size)} cannot hold one request of requests.indirect-segments = ${segments} pages: ` +
        `give it at least ${formatSize(least)} for every device`
      return { key: 'arena.size', sentence }
    },
  },
  {
    reads: ['run.dir', 'control.socket'],
    check(settings) {
      const socket = controlSocketOf(settings)
      if (Buffer.byteLength(socket) <= SOCKET_PATH_BYTES_MAX) return undefined
      const key = settings['control.socket'] === '' ? 'run.dir' : 'control.socket'
      const sentence = `${socket} is longer than a unix socket's path may be (${SOCKET_PATH_BYTES_MAX} bytes)`
      return { key, sentence: `${sentence}: choose a shorter one` }
    },
  },
]

/** All contradictions between the settings that could be read. */
export function crossCheck(settings: Partial<Settings>): CrossProblem[] {
  return rules
    .filter(({ reads }) => reads.every((key) => settings[key] !== undefined))
    .flatMap((rule) => rule.check(settings as Settings) ?? [])
}

/** Where the control socket stands. */
export function controlSocketOf(settings: Pick<Settings, 'control.socket' | 'run.dir'>): string {
  return settings['control.socket'] || `${settings['run.dir']}/control`
}

/** Where the pocket host's sockets stand. */
export function hostDirectoryOf(settings: Pick<Settings, 'host.dir' | 'run.dir'>): string {
  return settings['host.dir'] || `${settings['run.dir']}/host`
}
