/**
 * @packageDocumentation
 * Opens a regular file or a block device as a medium.
 *
 *   stat ─► is it one of the two? ─► open (O_DIRECT if asked and good, else buffered with a note) ─► measure
 *        ─► lock the whole file on this very descriptor ─► engine ─► plan
 *
 * The kind is looked at before the open, because opening alone does something to many character devices, and again
 * on the descriptor, because a name may change hands in between. A writer's lock is exclusive, a reader's shared.
 * What must never happen: a medium in use whose descriptor is not the one that holds the lock.
 */
import { statSync } from 'node:fs'
import { closeDescriptor } from '../native/owners.js'
import type { Medium, MediumError, MediumGeometry, MediumOpener, MediumSpec } from '../../ports/medium.js'
import { codeOf, sentenceOf } from '../../protocol/errors.js'
import { blockDiscard } from './block-queue.js'
import { chooseEngine } from './choose-engine.js'
import { findLockHolder } from './lock-holder.js'
import { mediaAddon } from './native-engine.js'
import { tooSmall } from './parse-target.js'
import { layersOf, leastTransfer, secureDiscard, sectorsFor, wholeSectors, type Sectors } from './sectors.js'

type Opened = ReturnType<MediumOpener['open']>
type Failure = { readonly ok: false; readonly error: MediumError }

/** Requests that one queue may have in flight on the medium, unless told otherwise. */
const DEFAULT_DEPTH = 256

/** What the kernel says about an open descriptor; see fileMeasure in native/file.cc. */
interface Measure {
  readonly kind: 'file' | 'block' | 'other'
  readonly bytes: number
  readonly sectorSize: number
  readonly physicalSectorSize: number
  /** 0 where the kernel does not say. */
  readonly directMemoryAlign: number
  readonly directOffsetAlign: number
  readonly major: number
  readonly minor: number
  readonly inode: number
  readonly deviceReadOnly: boolean
  /** On a tmpfs: it never waits for a device. */
  readonly inMemory: boolean
}

function measure(handle: number): Measure {
  const words = new Float64Array(11)
  mediaAddon.fileMeasure(handle, words)
  return {
    kind: words[0] === 0 ? 'file' : words[0] === 1 ? 'block' : 'other',
    bytes: words[1],
    sectorSize: words[2],
    physicalSectorSize: words[3],
    directMemoryAlign: words[4],
    directOffsetAlign: words[5],
    major: words[6],
    minor: words[7],
    inode: words[8],
    deviceReadOnly: words[9] !== 0,
    inMemory: words[10] !== 0,
  }
}

function failure(code: MediumError['code'], sentence: string): Failure {
  return { ok: false, error: { code, sentence } }
}

/** Opens the first of `paths` that exists. */
export function openFileMedium(paths: readonly string[], spec: MediumSpec): Opened {
  for (const path of paths) {
    try {
      const status = statSync(path)
      if (status.isFile() || status.isBlockDevice()) return openPath(path, { ...spec, target: path })
      if (status.isDirectory()) return failure('directory', `${path} is a directory: give a file or a block device`)
      return failure('special', `${path} is neither a file nor a block device: give one of these`)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') return openFailure(path, spec, error)
    }
  }
  const tried = paths.length > 1 ? ` (nor does ${paths.slice(1).join(', ')})` : ''
  return failure('missing', `${paths[0]} does not exist${tried}: create it or correct the name`)
}

function openFailure(path: string, spec: MediumSpec, error: unknown): Failure {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM': {
      const [wish, or] = spec.readOnly ? ['reading', ''] : ['reading and writing', ' or attach it read-only']
      return failure('denied', `${path} may not be opened for ${wish}: change its permissions${or}`)
    }
    case 'EROFS':
      return failure('denied', `${path} lies on a read-only file system: attach it read-only`)
    case 'ENOTDIR':
      return failure('missing', `${path} does not exist, a part of the path is not a directory: correct the name`)
    case 'EISDIR':
      return failure('directory', `${path} is a directory: give a file or a block device`)
    default:
      return failure('io', `${path} cannot be opened (${sentenceOf(error)}): look at the device and the kernel's log`)
  }
}

function openPath(path: string, spec: MediumSpec): Opened {
  const notes: string[] = []
  let handle: number | undefined
  try {
    const opened = openDescriptor(path, spec, notes)
    handle = opened.handle
    const result = describe(path, spec, opened, notes)
    if (!result.ok) closeDescriptor(handle)
    return result
  } catch (error) {
    if (handle !== undefined) closeDescriptor(handle)
    return openFailure(path, spec, error)
  }
}

interface OpenedDescriptor {
  readonly handle: number
  readonly direct: boolean
}

/** Opens directly where that works with this medium's sectors, else through the page cache, saying so in `notes`. */
function openDescriptor(path: string, spec: MediumSpec, notes: string[]): OpenedDescriptor {
  if (spec.direct === false) return { handle: mediaAddon.fileOpen(path, spec.readOnly, false), direct: false }
  let reason = 'the file system refuses O_DIRECT'
  try {
    const handle = mediaAddon.fileOpen(path, spec.readOnly, true)
    const found = measure(handle)
    const judged = sectorsFor(spec, found)
    // What it is refused for is said when it is described.
    if (!judged.ok) return { handle, direct: true }
    const { sectors: { sectorSize }, sectors } = judged
    const least = leastTransfer(sectors)
    const fits = found.directMemoryAlign <= Math.max(512, sectorSize) && found.directOffsetAlign <= least
    if (fits && (found.bytes < least || mediaAddon.fileTryDirect(handle, least, sectorSize))) {
      return { handle, direct: true }
    }
    closeDescriptor(handle)
    const align = Math.max(found.directMemoryAlign, found.directOffsetAlign)
    reason = `O_DIRECT needs an alignment of ${fits ? 'more than a sector' : align}${cureOf(spec, align)}`
  } catch (error) {
    // Refused for being O_DIRECT: EINVAL. Everything else would fail without it as well.
    if (codeOf(error) !== 'EINVAL') throw error
  }
  notes.push(`${path} is used through the page cache: ${reason}`)
  return { handle: mediaAddon.fileOpen(path, spec.readOnly, false), direct: false }
}

/** Whoever asked for no sectors may have asked for those with which it would work. */
function cureOf({ sectorFormat }: MediumSpec, align: number): string {
  return sectorFormat === undefined && align > 512 && align <= 4096 ? ' (sectors of 4096 bytes, or 512e, have it)' : ''
}

function describe(path: string, spec: MediumSpec, { handle, direct }: OpenedDescriptor, notes: string[]): Opened {
  const found = measure(handle)
  if (found.kind === 'other') {
    return failure('special', `${path} is neither a file nor a block device: give one of these`)
  }
  if (found.deviceReadOnly && !spec.readOnly) {
    return failure('denied', `${path} is a read-only device: attach it read-only`)
  }
  if (found.sectorSize > 4096) {
    const sentence = `${path} has sectors of ${found.sectorSize} bytes, more than the 4096 that a guest's page holds`
    return failure('io', sentence)
  }
  const judged = sectorsFor(spec, found)
  if (!judged.ok) return judged
  const { sectors } = judged
  const sectorCount = wholeSectors(found.bytes, sectors)
  if (sectorCount === 0) return { ok: false, error: tooSmall(path, leastTransfer(sectors)) }
  if (sectorCount >= 2 ** 44) return failure('io', `${path} is larger than the 8 PiB that a disk can have`)
  const odd = found.bytes - sectorCount * 512
  if (odd > 0) notes.push(`${path} ends ${odd} bytes behind its last whole sector: these are not part of the disk`)
  if (!mediaAddon.fileLock(handle, !spec.readOnly)) return locked(path, found.inode, spec.readOnly)
  const discards = discardsOf(handle, found, spec, notes)
  const geometry = geometryOf(discards, sectors, sectorCount, spec.readOnly, direct)
  return { ok: true, medium: mediumOf(handle, geometry, found, spec, notes, discards.zeroes) }
}

function locked(path: string, inode: number, readOnly: boolean): Failure {
  const holder = findLockHolder(inode)
  const who = holder ? `process ${holder.pid} (${holder.command})` : 'another process'
  const cure = readOnly
    ? 'wait until it has finished writing'
    : 'end that first, or attach read-only where both only read'
  return failure('locked', `${path} is in use by ${who}: ${cure}`)
}

/** What a discard can do here: only what was found out is promised. */
interface Discards {
  readonly possible: boolean
  readonly secure: boolean
  readonly zeroes: boolean
  readonly granularity: number
  readonly alignment: number
}

function discardsOf(handle: number, found: Measure, spec: MediumSpec, notes: string[]): Discards {
  const none = { possible: false, secure: false, zeroes: false, granularity: 0, alignment: 0 }
  if (spec.readOnly) return none
  if (found.kind === 'file') return { ...none, possible: mediaAddon.fileCanDeallocate(handle) }
  const device = blockDiscard(found.major, found.minor)
  const secure = mediaAddon.deviceCanSecureDiscard(handle)
  const zeroes = spec.discard === 'zeroes' && device.zeroes
  if (spec.discard === 'zeroes' && !zeroes) {
    notes.push(`${spec.target} does not write zeroes by itself: no discard is offered (discard.mode)`)
    return none
  }
  return zeroes ? { ...none, possible: true, secure, zeroes } : { ...device, secure, zeroes }
}

function geometryOf(
  discards: Discards, sectors: Sectors, sectorCount: number, readOnly: boolean, direct: boolean,
): MediumGeometry {
  return {
    sectorCount,
    ...sectors,
    readOnly,
    canFlush: true,
    canDiscard: discards.possible,
    canSecureDiscard: secureDiscard(discards.secure, sectors),
    discardGranularity: Math.max(leastTransfer(sectors), discards.granularity),
    discardAlignment: discards.alignment,
    buffered: !direct,
  }
}

function mediumOf(
  handle: number,
  geometry: MediumGeometry,
  found: Measure,
  spec: MediumSpec,
  notes: string[],
  discardZeroes: boolean,
): Medium {
  const engine = chooseEngine(spec.engine ?? 'auto', found.inMemory, notes)
  const depth = spec.depth ?? DEFAULT_DEPTH
  const blockDevice = found.kind === 'block'
  return {
    geometry,
    plan: {
      kind: 'file', geometry, layers: layersOf(spec, geometry), handle, engine, depth, blockDevice,
      ...(discardZeroes && { discardZeroes }),
      ...(spec.mergeBytes !== undefined && { mergeBytes: spec.mergeBytes }),
    },
    notes,
    currentSectorCount: () => currentSectorCount(handle, geometry),
    close: () => closeDescriptor(handle),
  }
}

/** Undefined when the device no longer answers. */
function currentSectorCount(handle: number, sectors: Sectors): number | undefined {
  try {
    const { bytes } = measure(handle)
    return bytes === 0 ? undefined : wholeSectors(bytes, sectors)
  } catch {
    // ENXIO, ENODEV, ENOMEDIUM: whatever the reason, the medium is gone.
    return undefined
  }
}
