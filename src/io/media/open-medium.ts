/**
 * @packageDocumentation
 * Opens media on the supervisor's thread: a path (regular file or block device), an NBD export, memory or null.
 * Whatever is wrong is a {@link MediumError}, one sentence with its cure, because the operator and the toolstack are
 * going to read it.
 *
 *   parse ─► memory, null ─────────────────────────────► Medium
 *         ├► path ─► open-file.ts: stat, open, measure, lock, choose engine ─► Medium
 *         └► nbd  ─► nbd/open-nbd.ts: ask the server what it has ─ later ─► Medium
 *
 * What is opened here stays in the table of owners until `close`; Workers borrow it by the handle in the plan.
 */
import { closeDescriptor, map, unmap } from '../native/owners.js'
import { memfdCreate } from '../native/shm.js'
import type {
  Medium, MediumError, MediumGeometry, MediumOpened, MediumOpener, MediumSpec,
} from '../../ports/medium.js'
import { codeOf, sentenceOf } from '../../protocol/errors.js'
import { systemClock } from '../native/system-clock.js'
import { memoryGeometry } from './memory-port.js'
import { openNbdMedium } from './nbd/open-nbd.js'
import { nullGeometry } from './null-port.js'
import { openFileMedium } from './open-file.js'
import { parseTarget, tooSmall } from './parse-target.js'
import { layersOf, leastTransfer, secureDiscard, sectorsFor, wholeSectors } from './sectors.js'

/** The opener of a real machine: every kind of medium. */
export const mediumOpener: MediumOpener = { open: openMedium, openLater }

function openLater(spec: MediumSpec): Promise<MediumOpened> | undefined {
  const target = parseTarget(spec.target)
  return target.kind === 'nbd' ? openNbdMedium(target.address, spec, systemClock) : undefined
}

function openMedium(spec: MediumSpec): MediumOpened {
  // A CD-ROM drive without a disc: whoever reads gets an error.
  if (spec.target === '' && spec.readOnly) return { ok: true, medium: nullMedium(nullGeometry(0, true), spec) }
  const target = parseTarget(spec.target)
  switch (target.kind) {
    case 'error':
      return { ok: false, error: target.error }
    case 'null':
      return withSectors(target.sectorCount, spec, (geometry) => ({ ok: true, medium: nullMedium(geometry, spec) }))
    case 'memory':
      return withSectors(target.sectorCount, spec, (geometry) => memoryMedium(geometry, spec))
    case 'nbd':
      return { ok: false, error: { code: 'io', sentence: `${spec.target} cannot be opened at once: ask for it later` } }
    case 'path':
      return openFileMedium(target.paths, spec)
  }
}

/** Memory takes any sectors, and so does nothing. */
function withSectors(
  sectorCount: number, spec: MediumSpec, open: (geometry: MediumGeometry) => MediumOpened,
): MediumOpened {
  const plain = memoryGeometry(sectorCount, spec.readOnly)
  const judged = sectorsFor(spec, plain)
  if (!judged.ok) return judged
  const least = leastTransfer(judged.sectors)
  const whole = wholeSectors(sectorCount * 512, judged.sectors)
  if (whole === 0) return { ok: false, error: tooSmall(spec.target, least) }
  const canSecureDiscard = secureDiscard(true, judged.sectors)
  return open({ ...plain, ...judged.sectors, sectorCount: whole, discardGranularity: least, canSecureDiscard })
}

function nullMedium(geometry: MediumGeometry, spec: MediumSpec): Medium {
  return {
    geometry,
    plan: { kind: 'null', geometry, layers: layersOf(spec, geometry) },
    notes: [],
    currentSectorCount: () => geometry.sectorCount,
    close: () => undefined,
  }
}

/** Shared memory without a name: it takes its memory now, so that a full machine shows here and not under I/O. */
function memoryMedium(geometry: MediumGeometry, spec: MediumSpec): MediumOpened {
  const bytes = geometry.sectorCount * 512
  let handle: number
  try {
    const memfd = memfdCreate('xbbd-medium', bytes, { allocate: true })
    handle = map(memfd, bytes, 0, true)
    // The mapping keeps the memory; nobody needs the descriptor.
    closeDescriptor(memfd)
  } catch (error) {
    return { ok: false, error: noMemory(bytes, error) }
  }
  const medium: Medium = {
    geometry,
    plan: { kind: 'memory', geometry, layers: layersOf(spec, geometry), handle },
    notes: [],
    currentSectorCount: () => geometry.sectorCount,
    close: () => unmap(handle),
  }
  return { ok: true, medium }
}

function noMemory(bytes: number, error: unknown): MediumError {
  const reason = codeOf(error) ?? sentenceOf(error)
  const sentence = `${bytes} bytes of memory for a medium cannot be had (${reason}): choose a smaller size`
  return { code: 'io', sentence }
}
