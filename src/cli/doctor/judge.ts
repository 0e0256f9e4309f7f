/**
 * @packageDocumentation
 * Judges a machine: one finding per check, one sentence each, and the cure with whatever is not well. Pure.
 *
 *   problem    the daemon does not start, or does not serve: the status is not 0
 *   warning    it works, but less well or not for everything
 *   ok         said too, so that a reader sees what was looked at
 */
import { formatBytes, formatSize } from '../units.js'
import { HOTPLUG_SCRIPT, XEN_NODES, type Facts, type NodeRights, type Person, type XenNode } from './facts.js'

export interface Finding {
  /** Names the check, for scripts: `device.gntdev`, `blkback`. */
  readonly check: string
  readonly level: 'ok' | 'warning' | 'problem'
  readonly sentence: string
  /** What to do; with a warning or a problem. */
  readonly cure?: string
}

type Check = (facts: Facts) => readonly Finding[]

const ok = (check: string, sentence: string): Finding[] => [{ check, level: 'ok', sentence }]
const warning = (check: string, sentence: string, cure: string): Finding[] => [
  { check, level: 'warning', sentence, cure },
]
const problem = (check: string, sentence: string, cure: string): Finding[] => [
  { check, level: 'problem', sentence, cure },
]

/** All findings, in the order in which a person would mend them. */
export function judge(facts: Facts): readonly Finding[] {
  const inXen: Check[] = [devices, modules, blkback, domain, hotplugScript]
  const everywhere: Check[] = [xenstore, uring, memlock, nofile, runDir, journals]
  const checks = [config, world, ...(facts.world === 'xen' ? inXen : []), ...everywhere]
  return checks.flatMap((check) => check(facts))
}

/** The status to end with: 0, or that of the first kind of problem (sysexits). */
export function statusOf(findings: readonly Finding[]): number {
  const problems = findings.filter(({ level }) => level === 'problem')
  if (problems.length === 0) return 0
  if (problems.some(({ check }) => check === 'config')) return 78
  return problems.every(({ check }) => /^device\.|^run\.dir$/.test(check)) ? 77 : 69
}

/** Whether a person may read and write a node, by its mode. */
export function mayUse(node: NodeRights, { uid, gids }: Person, bits = 0o6): boolean {
  if (uid === 0) return true
  const shift = node.uid === uid ? 6 : gids.includes(node.gid) ? 3 : 0
  return ((node.mode >> shift) & bits) === bits
}

function config({ config: { path, problems } }: Facts): Finding[] {
  if (problems.length === 0) return ok('config', `the configuration (${path}) has no problems`)
  const [first] = problems
  const more = problems.length === 1 ? '' : ` and ${problems.length - 1} more`
  return problem('config', `${first.where}: ${first.sentence}${more}`, '`xbbd config check` lists every problem')
}

function world({ world: chosen, domain: where, settings }: Facts): Finding[] {
  if (chosen === 'embedded') {
    const why = settings.world === 'embedded' ? 'world = embedded' : 'there is no Xen here'
    return ok('world', `${why}: the daemon can serve guests of the embedded host (\`xbbd host\`) only`)
  }
  if (where !== 'none') return ok('world', 'this kernel runs on Xen')
  return problem('world', 'world = xen, but this kernel does not run on Xen', 'boot Xen, or set world = auto')
}

const MODULE_OF: Partial<Readonly<Record<XenNode, string>>> = { gntdev: 'xen_gntdev', evtchn: 'xen_evtchn' }

function devices({ nodes, person, self }: Facts): Finding[] {
  return XEN_NODES.flatMap((name) => {
    const [check, path, node] = [`device.${name}`, `/dev/xen/${name}`, nodes[name]]
    if (node === undefined) {
      const module = MODULE_OF[name]
      const always = 'every kernel that runs on Xen has it: is /dev mounted?'
      return problem(check, `${path} is not there`, module === undefined ? always : `modprobe ${module}`)
    }
    if (mayUse(node, person)) return ok(check, `${path} is open to ${whoIs(person)}`)
    const sentence = `${path} is not open to ${whoIs(person)} (mode ${node.mode.toString(8).padStart(4, '0')})`
    const rules = 'install 60-xbbd.rules, then `udevadm control --reload && udevadm trigger /dev/xen/*`'
    return problem(check, sentence, self ? `${rules}; and be in the group xbbd` : rules)
  })
}

function whoIs({ name, uid }: Person): string {
  return `${name} (uid ${uid})`
}

function modules({ modules: loaded, nodes }: Facts): Finding[] {
  if (loaded === undefined) return warning('modules', '/proc/modules cannot be read', 'ask again as root')
  return Object.entries(MODULE_OF).flatMap(([node, name]) => {
    // Built into the kernel it is no module: its node is there all the same.
    if (loaded.includes(name) || nodes[node as XenNode] !== undefined) return ok(`module.${name}`, `${name} is there`)
    const cure = `modprobe ${name}, and name it in /etc/modules-load.d/xen.conf`
    return problem(`module.${name}`, `${name} is not loaded`, cure)
  })
}

function blkback({ blkback: { loaded, devices: held, loadable }, settings }: Facts): Finding[] {
  const type = settings['backend.type']
  if (type !== 'vbd') return ok('blkback', `backend.type = ${type}: the kernel's xen_blkback does not look there`)
  const cure =
    '`echo blacklist xen_blkback > /etc/modprobe.d/xbbd.conf`' +
    (loaded ? ', detach its disks, `rmmod xen_blkback`' : '') +
    '; or keep it and set backend.type = vbd3 for the disks of xbbd'
  if (loaded) {
    const has = held.length === 0 ? '' : ` (it has ${held.slice(0, 4).join(', ')}${held.length > 4 ? ' and more' : ''})`
    return problem('blkback', `xen_blkback is loaded${has} and takes every disk that xbbd is to serve`, cure)
  }
  if (!loadable) return ok('blkback', "the kernel's xen_blkback is not loaded and cannot come in between")
  return warning('blkback', 'udev may load xen_blkback for the first disk, which it would then take', cure)
}

function domain({ domain: where, settings }: Facts): Finding[] {
  const configured = settings['backend.domid']
  if (where === 'dom0' && configured === 0) return ok('domain', 'this is dom0')
  if (where === 'guest' && configured !== 0)
    return ok('domain', `this is a driver domain (backend.domid = ${configured})`)
  if (where === 'none') return []
  if (where === 'dom0')
    return problem('domain', `this is dom0, but backend.domid = ${configured}`, 'set backend.domid = 0')
  const cure = 'set backend.domid to the number of this domain (`xl list` in dom0)'
  return problem('domain', 'this is not dom0, but backend.domid = 0', cure)
}

function hotplugScript({ script }: Facts): Finding[] {
  if (script === undefined) {
    const sentence = `${HOTPLUG_SCRIPT} is not installed: xl cannot attach with script=block-xbbd`
    return warning('script', sentence, 'install it from the package; `xbbd attach` works without it')
  }
  if ((script.mode & 0o100) !== 0) return ok('script', `${HOTPLUG_SCRIPT} is installed`)
  return warning('script', `${HOTPLUG_SCRIPT} cannot be executed`, `chmod 755 ${HOTPLUG_SCRIPT}`)
}

function xenstore({ xenstore: found, world: chosen, self, person }: Facts): Finding[] {
  const toRoot = self ? '' : ` (to root; ${person.name} needs /dev/xen/xenbus)`
  if (found.ok) return ok('xenstore', `XenStore answers${toRoot}`)
  if (chosen === 'xen')
    return problem('xenstore', found.sentence, 'start xenstored: `systemctl start xenstored`, or `xen` on Debian')
  return warning('xenstore', found.sentence, 'start `xbbd host` before the daemon')
}

function uring({ uring: { refusal, disabled }, person, settings }: Facts): Finding[] {
  if (settings['medium.engine'] === 'threads') return ok('io_uring', 'medium.engine = threads: io_uring is not used')
  const unprivileged = disabled === 1 && person.uid !== 0
  if (disabled === 2 || unprivileged) {
    const sentence = `kernel.io_uring_disabled = ${disabled}: threads move the data, at a higher cost per request`
    const cure = 'sysctl kernel.io_uring_disabled=0, or 1 with kernel.io_uring_group'
    return warning('io_uring', sentence, cure)
  }
  if (refusal === undefined) return ok('io_uring', 'io_uring can be used')
  const why = refusal === 'ENOSYS' ? ': this kernel has none' : refusal === 'EPERM' ? ': a filter denies it' : ''
  const sentence = `io_uring cannot be used (${refusal}${why}): threads move the data, at a higher cost per request`
  return warning('io_uring', sentence, 'allow io_uring_setup, io_uring_enter and io_uring_register')
}

/** Disks for which limits should suffice without a thought. */
const DISKS_MIN = 64
/** Image, lock, ring, channel, grants and engine of one disk, and what the process has of its own. */
const DESCRIPTORS_PER_DISK = 8
const DESCRIPTORS_OWN = 64

const whose = ({ limits }: Facts): string => (limits.ofDaemon ? 'of the running daemon' : 'here')

/** Root's own limits say nothing about those that the service will have. */
const unknownLimits = ({ limits, self }: Facts): boolean => !limits.ofDaemon && !self

function memlock(facts: Facts): Finding[] {
  const { limits, settings, person } = facts
  const arena = settings['arena.size']
  if (limits.memlock === Infinity || person.uid === 0)
    return ok('memlock', 'memory for registered buffers is not limited')
  if (unknownLimits(facts)) return ok('memlock', 'RLIMIT_MEMLOCK of the service can be seen while it runs')
  const disks = Math.floor(limits.memlock / arena)
  const what = `RLIMIT_MEMLOCK ${whose(facts)} is ${formatSize(limits.memlock)}`
  if (disks >= DISKS_MIN) return ok('memlock', `${what}: enough for ${disks} disks with registered buffers`)
  const some = disks === 0 ? 'no disk' : disks === 1 ? 'one disk' : `${disks} disks`
  const sentence = `${what}: with arena.size = ${formatSize(arena)} ${some} can register buffers`
  const cure = 'LimitMEMLOCK=infinity in the unit, as the package has it'
  return warning('memlock', `${sentence}, the others cost more per request`, cure)
}

function nofile(facts: Facts): Finding[] {
  if (unknownLimits(facts)) return ok('nofile', 'RLIMIT_NOFILE of the service can be seen while it runs')
  const disks = Math.max(0, Math.floor((facts.limits.nofile - DESCRIPTORS_OWN) / DESCRIPTORS_PER_DISK))
  const what = `RLIMIT_NOFILE ${whose(facts)} is ${facts.limits.nofile}: enough for about ${disks} disks`
  if (disks >= DISKS_MIN) return ok('nofile', what)
  return warning('nofile', what, 'LimitNOFILE=65536 in the unit, as the package has it')
}

function runDir({ runDir: { rights, tmpfs, free, segments }, settings, person }: Facts): Finding[] {
  const [path, size] = [settings['run.dir'], settings['journal.size']]
  const room = free + segments
  const closed = rights !== undefined && !mayUse(rights, person, 0o7)
  const cure = `chown ${person.name} ${path}, or name another run.dir`
  return [
    ...(closed
      ? problem('run.dir', `${path} is not open to ${whoIs(person)}`, cure)
      : ok('run.dir', rights === undefined ? `${path} will be made at the start` : `${path} can be used`)),
    ...(tmpfs
      ? []
      : warning('run.dir.tmpfs', `${path} is not on a tmpfs: journals may wait for its disk`, 'a run.dir below /run')),
    ...(room < size
      ? problem('run.dir.room', `${path} has room for ${formatBytes(room)}, journal.size is ${formatSize(size)}`,
          'make room there, or lower journal.size')
      : ok('run.dir.room', `${path} has room for the journals (${formatSize(size)})`)),
  ]
}

function journals({ runDir: { runningPid, segments }, settings }: Facts): Finding[] {
  const path = settings['run.dir']
  if (runningPid !== undefined) return ok('daemon', `a daemon serves ${path} (process ${runningPid})`)
  if (segments === 0) return ok('daemon', 'no daemon runs')
  return ok('daemon', `no daemon runs; the next one goes on from the journals in ${path}/journal`)
}
