/**
 * @packageDocumentation
 * The C xenstored of Xen 4.17 as Debian ships it, running without Xen: the judge of what XenStore really does.
 *
 *   apt-get download xen-utils-4.17 ─► dpkg-deb -x ─► cache/…/xenstored     (1.4 MB, once; nothing is installed)
 *   gcc no-xen.c ─► scratch/no-xen.so, preloaded: plays the hypervisor
 *
 * The cache is XBBD_CACHE, or ~/.cache/xbbd. XBBD_XENSTORED names another binary instead. The libraries that it needs
 * (libxenevtchn, libxengnttab, libxenctrl) come with libxen-dev, which the tests need anyway.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectXenStore } from '../../src/io/xenstore/client.js'

const debianPackage = 'xen-utils-4.17'
const binaryInPackage = 'usr/lib/xen-4.17/bin/xenstored'
const preloadSource = join(import.meta.dirname, '../../../test/rig/no-xen.c')

const attemptsMax = 200

/** A running xenstored. */
export interface DebianXenstored {
  readonly socket: string
  stop(): Promise<void>
}

/** Where the binary is, fetched if need be; or a sentence that says why there is none. */
export function obtainXenstored(): { binary: string } | { missing: string } {
  const named = process.env.XBBD_XENSTORED
  if (named !== undefined)
    return existsSync(named) ? { binary: named } : { missing: `XBBD_XENSTORED=${named}: no such file` }
  const cache = process.env.XBBD_CACHE ?? join(homedir(), '.cache/xbbd')
  const unpacked = join(cache, debianPackage)
  const binary = [join('/', binaryInPackage), join(unpacked, binaryInPackage)].find((path) => existsSync(path))
  if (binary !== undefined) return { binary }
  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(join(cache, 'fetching-'))
  try {
    const problem = fetchInto(scratch)
    if (problem !== undefined) return { missing: problem }
    // Renamed when whole, so that a run that was killed, or one beside this one, leaves nothing half unpacked.
    if (!existsSync(unpacked)) renameSync(join(scratch, 'tree'), unpacked)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return { binary: join(unpacked, binaryInPackage) }
}

/** Downloads and unpacks; the sentence of what failed, if something did. */
function fetchInto(scratch: string): string | undefined {
  const download = (): boolean => succeeds('apt-get', ['download', '-q', debianPackage], scratch)
  if (!download()) {
    // A fresh machine has no package lists; only root can fetch them.
    if (process.getuid?.() === 0) succeeds('apt-get', ['update', '-q'], scratch)
    if (!download()) return `apt-get download ${debianPackage} failed: this needs Debian 12 and its package lists`
  }
  const archive = readdirSync(scratch).find((name) => name.endsWith('.deb'))
  const done = archive !== undefined && succeeds('dpkg-deb', ['-x', archive, 'tree'], scratch)
  return done ? undefined : `${debianPackage} cannot be unpacked: is dpkg-deb installed?`
}

function succeeds(program: string, args: readonly string[], cwd: string): boolean {
  return spawnSync(program, args, { cwd, stdio: 'ignore' }).status === 0
}

/** Starts it with a directory of its own; rejects with what it said when it does not come up. */
export async function startDebianXenstored(binary: string): Promise<DebianXenstored> {
  const directory = mkdtempSync(join(tmpdir(), 'xbbd-debian-xenstored-'))
  const preload = join(directory, 'no-xen.so')
  const compiled = spawnSync('gcc', ['-shared', '-fPIC', '-O1', '-o', preload, preloadSource], { encoding: 'utf8' })
  if (compiled.status !== 0) throw new Error(`no-xen.c does not compile (libxen-dev installed?): ${compiled.stderr}`)
  const socket = join(directory, 'socket')
  const env = { ...process.env, LD_PRELOAD: preload, XENSTORED_RUNDIR: directory, XENSTORED_ROOTDIR: directory }
  const child = spawn(binary, ['--no-fork', '--internal-db'], {
    env: { ...env, XENSTORED_PATH: socket },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4096)))
  const exited = once(child, 'exit')
  const failed = exited.then(() => Promise.reject(new Error(`xenstored ended at once: ${said}`)))
  failed.catch(() => undefined)
  await Promise.race([listening(socket), failed])
  return {
    socket,
    stop: async () => {
      child.kill('SIGKILL')
      await exited
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Resolves once the socket takes connections: the file is there a moment before that. */
async function listening(socket: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const client = await connectXenStore(socket)
      client.close()
      return
    } catch (error) {
      if (attempt === attemptsMax) throw error
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}
