/**
 * @packageDocumentation
 * Block devices for tests, where this machine can make some: loop devices over images, with sectors of any size.
 */
import { execFileSync } from 'node:child_process'
import { present } from './clients.js'

export interface LoopDevice {
  readonly path: string
  /** After it, the image is an ordinary file again. */
  detach(): void
  /** The image has another length: the device has it, too. */
  resized(): void
}

/** A device of such sectors over `image`; undefined where there can be none (no root, no losetup, none to give). */
export function loopDevice(image: string, sectorSize = 512): LoopDevice | undefined {
  if (process.getuid?.() !== 0 || !present('losetup')) return undefined
  const losetup = (...words: string[]) => execFileSync('losetup', words, { encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    const path = losetup('--sector-size', String(sectorSize), '--find', '--show', image)
    return { path, detach: () => void losetup('--detach', path), resized: () => void losetup('--set-capacity', path) }
  } catch {
    return undefined
  }
}
