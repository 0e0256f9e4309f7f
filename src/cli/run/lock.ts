/**
 * @packageDocumentation
 * One daemon per run.dir. The lock is an OFD write lock on `run.dir/lock`, held by a descriptor in the table of owners:
 * the kernel gives it back however the process ends, so there is no stale lock and no guessing about process ids. The
 * number in the file is for people and for the sentence below. The control socket is looked at only with the lock in
 * hand; two daemons that start together cannot both take over what a dead one left.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { mediaAddon } from '../../io/media/native-engine.js'
import { closeDescriptor } from '../../io/native/owners.js'
import { codeOf, sentenceOf, XbbdError } from '../../protocol/errors.js'

/** A held lock. */
export interface RunLock {
  release(): void
}

/**
 * Makes `runDir` if need be (mode 0700) and locks it for this process.
 * @throws XbbdError 75 when another daemon holds it, 73 when the directory cannot be used.
 */
export function lockRunDir(runDir: string): RunLock {
  const path = join(runDir, 'lock')
  const handle = openLockFile(runDir, path)
  if (!mediaAddon.fileLock(handle, true)) {
    const pid = readFileSync(path, 'utf8').trim()
    closeDescriptor(handle)
    const who = /^\d+$/.test(pid) ? ` (process ${pid})` : ''
    const cure = 'stop it with `xbbd stop`, or give this one its own --run-dir'
    throw new XbbdError('XBBD_RUNNING', `another daemon${who} serves ${runDir}: ${cure}`, { exitCode: 75 })
  }
  writeFileSync(path, `${process.pid}\n`)
  return { release: () => closeDescriptor(handle) }
}

/** The same, where whoever holds it is about to let go. Rejects as {@link lockRunDir} when that takes too long. */
export async function lockRunDirSoon(runDir: string, withinMs: number): Promise<RunLock> {
  for (const began = performance.now(); ; await pause(2)) {
    try {
      return lockRunDir(runDir)
    } catch (error) {
      if (codeOf(error) !== 'XBBD_RUNNING' || performance.now() - began > withinMs) throw error
    }
  }
}

function openLockFile(runDir: string, path: string): number {
  try {
    mkdirSync(runDir, { recursive: true, mode: 0o700 })
    closeSync(openSync(path, 'a', 0o600))
    return mediaAddon.fileOpen(path, false, false)
  } catch (cause) {
    const sentence = `cannot use ${runDir} as run.dir: ${sentenceOf(cause)}; make it, or name another with --run-dir`
    throw new XbbdError('XBBD_RUN_DIR', sentence, { cause, exitCode: 73 })
  }
}
