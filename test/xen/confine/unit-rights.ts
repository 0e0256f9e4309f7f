/**
 * @packageDocumentation
 * The rights that packaging/xbbd.service gives, read from the unit itself, so that what is confined without systemd (the
 * rig's dom0, a test) cannot differ from what is confined with it: the system calls by systemd's own lists, the limits,
 * the empty set of capabilities.
 *
 *   unit ─► unitRights ─► buildFilter (gcc, filter.c) ─► confinement ─► prlimit … setpriv … filter COMMAND
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../../src/io/native/load.js'

/** What a unit lets its process do, as far as it can be had without systemd. */
export interface UnitRights {
  /** Names of system calls, sorted. */
  readonly allowed: readonly string[]
  /** What the others are answered with: `EPERM`. */
  readonly errno: string
  /** `memlock=unlimited:unlimited`, as prlimit(1) takes it. */
  readonly limits: readonly string[]
}

/** The shipped unit's text. */
export function shippedUnit(): string {
  return readFileSync(join(packageRoot(), 'packaging/xbbd.service'), 'utf8')
}

/** Reads a unit. Throws when it says something that filter.c and confinement() would not carry out. */
export function unitRights(unit: string): UnitRights {
  const all = (name: string) => [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value.trim())
  const expected: readonly [string, string][] = [
    ['SystemCallArchitectures', 'native'], ['RestrictAddressFamilies', 'AF_UNIX'], ['RestrictNamespaces', 'yes'],
    ['CapabilityBoundingSet', ''], ['AmbientCapabilities', ''], ['NoNewPrivileges', 'yes'],
  ]
  for (const [name, value] of expected)
    if (all(name).join() !== value) throw new Error(`the unit says ${name}=${all(name).join()}: confine/ carries out ${value}`)
  const limits = [...unit.matchAll(/^Limit([A-Z]+)=(.*)$/gm)].map(([, name, value]) => {
    const limit = value.trim() === 'infinity' ? 'unlimited' : value.trim()
    return `${name.toLowerCase()}=${limit}:${limit}`
  })
  return { allowed: allowedCalls(all('SystemCallFilter')), errno: all('SystemCallErrorNumber').join(), limits }
}

/** systemd.exec(5): the first list says what is allowed, later ones add, or with ~ take away. */
function allowedCalls(lists: readonly string[]): string[] {
  if (lists.length === 0 || lists[0].startsWith('~')) throw new Error('the unit has no list of allowed system calls')
  const allowed = new Set<string>()
  for (const list of lists) {
    const names = list.replace('~', '').split(/\s+/).flatMap(callsOf)
    for (const name of names) if (list.startsWith('~')) allowed.delete(name)
    else allowed.add(name)
  }
  return [...allowed].sort()
}

/** A system call is itself; a group is what systemd says, to the last of its groups. */
function callsOf(name: string): string[] {
  if (!name.startsWith('@')) return [name]
  const text = execFileSync('systemd-analyze', ['syscall-filter', '--no-pager', name], { encoding: 'utf8' })
  const members = text.split('\n').slice(1).map((line) => line.trim()).filter((line) => /^@?\w/.test(line))
  return members.flatMap(callsOf)
}

/** Compiles filter.c for a unit's rights: a static program, so that it runs wherever it is taken. Needs gcc. */
export function buildFilter({ allowed, errno }: UnitRights, output: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'xbbd-confine-'))
  try {
    // A call that this architecture never had, or that is younger than the headers, has no number.
    const lines = allowed.map((name) => `#ifdef __NR_${name}\nALLOWED(${name})\n#endif\n`)
    writeFileSync(join(directory, 'allowed.h'), lines.join(''))
    const source = join(packageRoot(), 'test/xen/confine/filter.c')
    const flags = ['-static', '-O2', '-Wall', '-Werror', `-DDENIED_ERRNO=${errno}`, `-I${directory}`]
    execFileSync('gcc', [...flags, '-o', output, source], { stdio: ['ignore', 'ignore', 'inherit'] })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The command before the daemon's own that gives it the unit's rights; to be run as root. `user`: undefined stays root. */
export function confinement(rights: UnitRights, filter: string, user: string | undefined): string[] {
  const who = user === undefined ? [] : [`--reuid=${user}`, `--regid=${user}`, '--clear-groups']
  const limited = rights.limits.length === 0 ? [] : ['prlimit', ...rights.limits.map((limit) => `--${limit}`), '--']
  return [
    ...limited,
    'setpriv', ...who, '--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--',
    filter,
  ]
}
