/**
 * @packageDocumentation
 * What a service manager, udev and sysusers do on a production host, done here from the same files: dom0 of the rig runs
 * none of the three. So the user, the groups of the device nodes and the confinement under which every scenario runs are
 * those that the package installs, and a mistake in them fails the scenarios.
 */
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'

export const USER = 'xbbd'
const UID = 900
const GID = 900

const RULES = '/usr/lib/udev/rules.d/60-xbbd.rules'

/** The user and group of the daemon, with fixed numbers. Once per boot. */
export function makeUser(): void {
  if (readFileSync('/etc/passwd', 'utf8').includes(`${USER}:`)) return
  appendFileSync('/etc/passwd', `${USER}:x:${UID}:${GID}:xbbd:/:/usr/sbin/nologin\n`)
  appendFileSync('/etc/group', `${USER}:x:${GID}:\n`)
}

/** Gives the device nodes the group and mode that the installed udev rules give them. */
export function applyUdevRules(): void {
  const lines = readFileSync(RULES, 'utf8').split('\n')
  let nodes = 0
  for (const line of lines) {
    const kernel = /^[^#]*KERNEL=="([^"]+)"/.exec(line)?.[1]
    const mode = /MODE="(0?[0-7]+)"/.exec(line)?.[1]
    if (kernel === undefined || mode === undefined || !/GROUP="xbbd"/.test(line)) continue
    for (const name of kernel.split('|').map((glob) => glob.replace(/^xen[/!]/, ''))) {
      const path = `/dev/xen/${name}`
      if (!existsSync(path)) throw new Error(`${RULES} names ${kernel}, but there is no ${path}`)
      chownSync(path, 0, GID)
      chmodSync(path, parseInt(mode, 8))
      nodes++
    }
  }
  if (nodes === 0) throw new Error(`${RULES} gives no device node to the group ${USER}`)
}

/** A directory of the daemon's own, emptied, as RuntimeDirectory= gives it. */
export function runtimeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { mode: 0o750 })
  chownSync(path, UID, GID)
}

/** Gives a file to the daemon: an image is its owner's to serve. */
export function giveToDaemon(path: string): void {
  chownSync(path, UID, GID)
}

/** How the daemon is started: with the rights that the installed unit gives, and no others (host/stage.ts makes it). */
export function confinement(): readonly string[] {
  return JSON.parse(readFileSync('/run/harness/confinement.json', 'utf8')) as string[]
}
