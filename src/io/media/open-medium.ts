/**
 * @packageDocumentation
 * Opens media on the supervisor's thread: a path (regular file or block device), memory or null. Whatever is wrong is
 * a {@link MediumError}, one sentence with its cure, because the operator and the toolstack are going to read it.
 *
 *   parse ─► memory, null ─────────────────────────────► Medium
 *         └► path ─► open-file.ts: stat, open, measure, lock, choose engine ─► Medium
 *
 * What is opened here stays in the table of owners until `close`; Workers borrow it by the handle in the plan.
 */
import { closeDescriptor, map, unmap } from '../native/owners.js'
import { memfdCreate } from '../native/shm.js'
import type { Medium, MediumError, MediumOpener, MediumSpec } from '../../ports/medium.js'
import { codeOf, sentenceOf } from '../../protocol/errors.js'
import { memoryGeometry } from './memory-port.js'
import { nullGeometry } from './null-port.js'
import { openFileMedium } from './open-file.js'
import { parseTarget } from './parse-target.js'

type Opened = ReturnType<MediumOpener['open']>

/** The opener of a real machine: every kind of medium. */
export const mediumOpener: MediumOpener = { open: openMedium }

function openMedium(spec: MediumSpec): Opened {
  // A CD-ROM drive without a disc: whoever reads gets an error.
  if (spec.target === '' && spec.readOnly) return { ok: true, medium: nullMedium(0, spec) }
  const target = parseTarget(spec.target)
  switch (target.kind) {
    case 'error':
      return { ok: false, error: target.error }
    case 'null':
      return { ok: true, medium: nullMedium(target.sectorCount, spec) }
    case 'memory':
      return memoryMedium(target.sectorCount, spec)
    case 'path':
      return openFileMedium(target.paths, spec)
  }
}

function nullMedium(sectorCount: number, spec: MediumSpec): Medium {
  const geometry = nullGeometry(sectorCount, spec.readOnly)
  return {
    geometry,
    plan: { kind: 'null', geometry, layers: spec.layers ?? [] },
    notes: [],
    currentSectorCount: () => sectorCount,
    close: () => undefined,
  }
}

/** Shared memory without a name: it takes its memory now, so that a full machine shows here and not under I/O. */
function memoryMedium(sectorCount: number, spec: MediumSpec): Opened {
  const geometry = memoryGeometry(sectorCount, spec.readOnly)
  const bytes = sectorCount * 512
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
    plan: { kind: 'memory', geometry, layers: spec.layers ?? [], handle },
    notes: [],
    currentSectorCount: () => sectorCount,
    close: () => unmap(handle),
  }
  return { ok: true, medium }
}

function noMemory(bytes: number, error: unknown): MediumError {
  const reason = codeOf(error) ?? sentenceOf(error)
  const sentence = `${bytes} bytes of memory for a medium cannot be had (${reason}): choose a smaller size`
  return { code: 'io', sentence }
}
