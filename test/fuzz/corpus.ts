/**
 * @packageDocumentation
 * The kept corpora: test/fuzz/corpus/NAME, one input a file, named by its digest. They are small, so that they can be looked
 * at and run with the tests: of many inputs that reach the same, the shorter ones stay.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'

const KEPT_MAX = 96
const KEPT_BYTES_MAX = 64 << 10

const folderOf = (name: string) => join(packageRoot(), 'test/fuzz/corpus', name)

export function readCorpus(name: string): Uint8Array[] {
  const folder = folderOf(name)
  return existsSync(folder) ? readdirSync(folder).sort().map((file) => readFileSync(join(folder, file))) : []
}

/** Adds the shortest of `corpus`, as far as there is room. */
export function keepCorpus(name: string, corpus: readonly Uint8Array[]): void {
  const folder = folderOf(name)
  mkdirSync(folder, { recursive: true })
  const kept = readCorpus(name)
  let bytes = kept.reduce((sum, input) => sum + input.length, 0)
  let count = kept.length
  for (const input of [...corpus].sort((a, b) => a.length - b.length)) {
    if (++count > KEPT_MAX || (bytes += input.length) > KEPT_BYTES_MAX) return
    writeFileSync(join(folder, createHash('sha256').update(input).digest('hex').slice(0, 16)), input)
  }
}
