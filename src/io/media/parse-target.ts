/**
 * @packageDocumentation
 * What an operator writes as a medium: `memory:64M`, `null:1G`, the address of an NBD export (nbd/address.ts), a path,
 * or a bare name that is looked for in the working directory first and below /dev then (SEED S5). Sizes are whole
 * numbers with K, M, G or T (powers of 1024) or none (bytes).
 */
import type { MediumError, NbdAddress } from '../../ports/medium.js'
import { isNbdTarget, parseNbdAddress } from './nbd/address.js'

/** A target in parts; `paths` in the order in which they are tried. */
export type ParsedTarget =
  | { readonly kind: 'memory' | 'null'; readonly sectorCount: number }
  | { readonly kind: 'path'; readonly paths: readonly string[] }
  | { readonly kind: 'nbd'; readonly address: NbdAddress }
  | { readonly kind: 'error'; readonly error: MediumError }

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }
const MOST_SECTORS = 2 ** 44

/** Takes `target` apart; never touches the file system. */
export function parseTarget(target: string): ParsedTarget {
  const sized = /^(memory|null):(.*)$/.exec(target)
  if (sized) return parseSized(sized[1] === 'memory' ? 'memory' : 'null', sized[2])
  if (isNbdTarget(target)) return parseNbd(target)
  if (target === '' || target.includes('\0')) {
    return badSpec('a medium needs a name: give a path, a name below /dev, nbd://…, memory:SIZE or null:SIZE')
  }
  return { kind: 'path', paths: target.includes('/') ? [target] : [target, `/dev/${target}`] }
}

function parseSized(kind: 'memory' | 'null', size: string): ParsedTarget {
  const parts = /^(\d{1,15})([KMGT]?)$/.exec(size.toUpperCase())
  if (!parts) return badSpec(`${kind}:${size} has no size that can be read: write for example ${kind}:64M`)
  const bytes = Number(parts[1]) * units[parts[2]]
  const sectorCount = Math.floor(bytes / 512)
  if (sectorCount < 1) return { kind: 'error', error: tooSmall(`${kind}:${size}`, 512) }
  if (sectorCount >= MOST_SECTORS) return badSpec(`${kind}:${size} is larger than the 8 PiB that a disk can have`)
  return { kind, sectorCount }
}

function parseNbd(target: string): ParsedTarget {
  const address = parseNbdAddress(target)
  return typeof address === 'string' ? badSpec(address) : { kind: 'nbd', address }
}

function badSpec(sentence: string): ParsedTarget {
  return { kind: 'error', error: { code: 'bad-spec', sentence } }
}

/** Shorter than one sector: not a disk. */
export function tooSmall(name: string, sectorSize: number): MediumError {
  const what = `${name} is shorter than one sector of ${sectorSize} bytes`
  return { code: 'too-small', sentence: `${what}: make it larger, for example with truncate` }
}
