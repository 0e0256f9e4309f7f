/**
 * @packageDocumentation
 * Journals as files: finds the segments in files and directories, believes nothing that is not checked, and hands out
 * their words when they are asked for, so that a pool of any size is read with the memory of one segment.
 *
 *   file    [ segment ][ segment ] …     each as long as its header says (capacity), the last perhaps cut off
 *   folder  every file below it that is a segment; other files are passed over, empty segments too
 *
 * Segment words are a copy: the file may be the living memory of a daemon, which goes on writing.
 */
import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, sentenceOf, XbbdError } from '../protocol/errors.js'
import { chainsOf } from './chain.js'
import type { JournalChain, SegmentView } from './chain.js'
import { HEADER_FIXED_WORDS, H_WORDS, MAGIC_0, MAGIC_1 } from './format.js'
import { HEADER_WORDS_MAX, readHeader } from './segment-reader.js'
import type { SegmentHeader } from './segment-reader.js'
import { unknownCharts } from './upcast.js'

/** Something that should be a segment and cannot be read as one. `offset` in bytes. */
export interface FileProblem {
  readonly file: string
  readonly offset: number
  readonly sentence: string
}

export interface JournalFiles {
  readonly chains: readonly JournalChain[]
  readonly problems: readonly FileProblem[]
}

/** How journal files are named; in a folder a file of this name that is no segment is a problem, another is not. */
export const JOURNAL_EXTENSION = '.xbj'
/** Largest segment that is read: 256 MiB. */
const SEGMENT_WORDS_MAX = 1 << 26
const FILES_MAX = 65536

/**
 * The journals in a file or a directory (not below it).
 * @throws XbbdError XBBD_NO_INPUT (66) when `path` is not there or cannot be read.
 */
export function openJournals(path: string): JournalFiles {
  const nothing = { before: new Map<string, Known>(), plain: new Set<string>(), sequenceOf: () => undefined }
  return scanPath(path, { ...nothing, intern: internIdentities(), found: new Map() })
}

function scanPath(path: string, memory: Memory): JournalFiles {
  const problems: FileProblem[] = []
  const segments: SegmentView[] = []
  try {
    if (!statSync(path).isDirectory()) scanFile(path, true, segments, problems, memory)
    else {
      memory.plain = new Set(filesIn(path, memory.plain))
      for (const file of memory.plain)
        scanFile(file, file.endsWith(JOURNAL_EXTENSION), segments, problems, memory)
    }
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT'
    const sentence = missing ? `${path} does not exist` : `${path} cannot be read: ${sentenceOf(error)}`
    throw new XbbdError('XBBD_NO_INPUT', sentence, { cause: error, exitCode: 66 })
  }
  return { chains: chainsOf(segments), problems }
}

/**
 * The chains of one journal, or of all whose names begin with `name/`; all of them without a name.
 * @throws XbbdError XBBD_NO_INPUT (66) when there are none.
 */
export function chainsNamed(
  { chains, problems }: JournalFiles, path: string, name?: string,
): readonly JournalChain[] {
  const named = chains.filter(({ journal }) => name === undefined || journal === name || journal.startsWith(`${name}/`))
  if (named.length > 0) return named
  const known = [...new Set(chains.map(({ journal }) => journal))].slice(0, 8)
  const problem = problems.at(0)
  const sentence =
    known.length > 0
      ? `${path} holds no journal ${name}; it holds ${known.join(', ')}`
      : problem === undefined
        ? `${path} holds no journal: name a journal file or the folder of the pool`
        : `${path} holds no journal that can be read: of ${problem.file} ${problem.sentence}`
  throw new XbbdError('XBBD_NO_INPUT', sentence, { exitCode: 66 })
}

/** A segment that was there at an earlier look, and what its header began with then. */
interface Known {
  readonly words: Int32Array
  readonly size: number
  readonly view: SegmentView
}

/**
 * A folder that is looked at again and again, such as that of a daemon that runs: of a segment that is known already
 * only the first words of its header are read, and it stays the same object until another one takes its place.
 */
export class JournalFolder {
  private readonly path: string
  private known: ReadonlyMap<string, Known> = new Map()
  private plain: ReadonlySet<string> = new Set()

  constructor(path: string) {
    this.path = path
  }

  /**
   * The journals as they are now. `sequenceOf`: which segment a file holds by now, from somebody who knows; one that
   * holds the same as before is not opened. @throws XbbdError XBBD_NO_INPUT (66).
   */
  look(sequenceOf: (file: string) => number | undefined = () => undefined): JournalFiles {
    const found = new Map<string, Known>()
    const memory = { intern: internIdentities(), before: this.known, found, plain: this.plain, sequenceOf }
    const files = scanPath(this.path, memory)
    this.known = found
    this.plain = memory.plain
    return files
  }
}

/**
 * The same, for whoever tells of states and requests: that takes charts that are known.
 * @throws XbbdError XBBD_OTHER_CHARTS (65) when one of the queues obeyed others.
 */
export function chainsToFold(files: JournalFiles, path: string, name?: string): readonly JournalChain[] {
  const chains = chainsNamed(files, path, name)
  const unknown = chains.find(({ upcast }) => upcast === undefined)
  if (unknown === undefined) return chains
  const why = `${unknown.journal} cannot be told about: ${unknownCharts(unknown.identity)}`
  const cure = 'ask the version that wrote it; `journal cat` and `replay` show and compare what can be known'
  throw new XbbdError('XBBD_OTHER_CHARTS', `${why}: ${cure}`, { exitCode: 65 })
}

/** Plain files; what kind of file the ones in `plain` are is known. */
function filesIn(folder: string, plain: ReadonlySet<string>): string[] {
  const paths = readdirSync(folder).map((name) => join(folder, name))
  const files = paths.filter((path) => plain.has(path) || lstatSync(path, LENIENT)?.isFile() === true)
  return files.slice(0, FILES_MAX).sort()
}

const LENIENT = { throwIfNoEntry: false } as const


/** What is known of segments from an earlier look, and what this one finds; by file and offset. */
interface Memory {
  readonly intern: Intern
  readonly before: ReadonlyMap<string, Known>
  readonly found: Map<string, Known>
  readonly sequenceOf: (file: string) => number | undefined
  /** Files that are known to be such. */
  plain: ReadonlySet<string>
}

/** The segment that was here before, when its header still begins with the same words. */
function stillThere(descriptor: number, known: Known | undefined, offset: number, size: number): Known | undefined {
  if (known?.size !== size) return undefined
  const words = readWords(descriptor, offset, HEADER_FIXED_WORDS)
  return words.every((word, index) => word === known.words[index]) ? known : undefined
}

/** @param strict - whether a file that holds no segment at all is a problem. */
function scanFile(
  file: string, strict: boolean, segments: SegmentView[], problems: FileProblem[], memory: Memory,
): void {
  const same = memory.before.get(`${file}:0`)
  if (same !== undefined && same.view.header.sequence === memory.sequenceOf(file)) {
    memory.found.set(`${file}:0`, same)
    segments.push(same.view)
    return
  }
  const descriptor = openSync(file, 'r')
  try {
    const { size } = fstatSync(descriptor)
    let offset = 0
    while (offset < size) {
      const place = `${file}:${offset}`
      const known = stillThere(descriptor, memory.before.get(place), offset, size)
      if (known !== undefined) {
        memory.found.set(place, known)
        segments.push(known.view)
        offset += known.view.header.capacity * 4
        continue
      }
      const words = readHeaderWords(descriptor, offset, (size - offset) / 4)
      // A segment of the pool that nobody has written yet, or one that is being prepared.
      if (words[0] === 0 && (words[1] === 0 || words[1] === MAGIC_1)) return
      if (!strict && offset === 0 && words[0] !== MAGIC_0 && words[1] !== MAGIC_1) return
      const result = readHeader(words)
      const sentence = result.ok ? impossibleCapacity(result.header) : result.sentence
      if (!result.ok || sentence !== undefined) {
        problems.push({ file, offset, sentence: sentence ?? '' })
        return
      }
      const header = memory.intern(result.header)
      const count = Math.min(header.capacity, Math.floor((size - offset) / 4))
      const view = viewOf(file, offset, count, header)
      memory.found.set(place, { words: words.slice(0, HEADER_FIXED_WORDS), size, view })
      segments.push(view)
      offset += header.capacity * 4
    }
  } finally {
    closeSync(descriptor)
  }
}

type Intern = (header: SegmentHeader) => SegmentHeader

/** The segments of one run say the same of themselves, thousands of times: one object will do. */
function internIdentities(): Intern {
  const known = new Map<string, SegmentHeader['identity']>()
  return (header) => {
    const key = JSON.stringify(header.identity)
    const identity = known.get(key) ?? header.identity
    if (known.size < FILES_MAX) known.set(key, identity)
    return { ...header, identity }
  }
}

/** A header is seldom longer than this. */
const HEADER_WORDS_USUAL = 1024

/** Enough words for the header at `offset`, if there is one. */
function readHeaderWords(descriptor: number, offset: number, available: number): Int32Array {
  const words = readWords(descriptor, offset, Math.min(HEADER_WORDS_USUAL, Math.floor(available)))
  if (words.length < HEADER_WORDS_USUAL || words[H_WORDS] <= HEADER_WORDS_USUAL) return words
  return readWords(descriptor, offset, Math.min(HEADER_WORDS_MAX, Math.floor(available)))
}

function impossibleCapacity({ capacity, headerWords }: SegmentHeader): string | undefined {
  const possible = capacity >= headerWords && capacity <= SEGMENT_WORDS_MAX && (capacity & 1) === 0
  return possible ? undefined : `its header says that it is ${capacity} words long, which is impossible`
}

function viewOf(file: string, offset: number, count: number, header: SegmentHeader): SegmentView {
  const opened = <T>(use: (descriptor: number) => T): T => {
    const descriptor = openSync(file, 'r')
    try {
      return use(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
  return {
    file, offset, header,
    words: () => opened((descriptor) => readWords(descriptor, offset, count)),
    fill: (words, from, to) => opened((descriptor) => fillWords(descriptor, offset, words, from, Math.min(to, count))),
  }
}

/** Up to `count` words from byte `offset` on; fewer when the file is shorter by now. */
function readWords(descriptor: number, offset: number, count: number): Int32Array {
  const words = new Int32Array(Math.max(count, HEADER_FIXED_WORDS))
  return words.subarray(0, fillWords(descriptor, offset, words, 0, count))
}

/** Words [from, to) of what begins at byte `offset`. @returns the end of what was there. */
function fillWords(descriptor: number, offset: number, words: Int32Array, from: number, to: number): number {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, to * 4)
  let have = from * 4
  while (have < bytes.length) {
    const got = readSync(descriptor, bytes, have, bytes.length - have, offset + have)
    if (got === 0) break
    have += got
  }
  return have >>> 2
}

/**
 * Segments that are in memory, oldest first, as a simulated world leaves them; `name` stands for a file's name.
 * What is no segment is passed over.
 */
export function segmentsInMemory(all: readonly Int32Array[], name = 'memory'): SegmentView[] {
  return all.flatMap((words, index) => {
    const result = readHeader(words)
    return result.ok ? [{ file: `${name}[${index}]`, offset: 0, header: result.header, words: () => words }] : []
  })
}
