/**
 * @packageDocumentation
 * The bench of replay: fabricates a journal by really running plane, core and writer over a ring that is always full and
 * a medium that finishes at once, and folds it in processes of their own, so that their memory is theirs alone.
 *
 *   ring (made up) ─ QueuePlane ─ BatchWriter ─► FILE, segment by segment ─► replay --compiled | replay
 */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { QueuePlane } from '../src/actors/queue-plane.js'
import { progressBetween } from '../src/cli/progress.js'
import { terminalOn } from '../src/cli/terminal.js'
import { formatBytes, formatCount } from '../src/cli/units.js'
import { checkpointWordsMax, writeCheckpoint } from '../src/core/checkpoint.js'
import { QueueCore } from '../src/core/queue-core.js'
import type { CoreSettings } from '../src/core/queue-core.js'
import { COMMAND_ATTACH } from '../src/core/records.js'
import { compiledSteppers } from '../src/core/steppers.js'
import { packageRoot } from '../src/io/native/load.js'
import { BatchWriter } from '../src/journal/batch-writer.js'
import { queueIdentity } from '../src/journal/queue-identity.js'
import { IO_WORDS, RESULT_WORDS } from '../src/ports/data-path.js'
import type { BackRing, MediumPort } from '../src/ports/data-path.js'
import { abiLayout } from '../src/protocol/abi.js'
import { encodeEntry } from '../src/protocol/entry.js'
import { XbbdError } from '../src/protocol/errors.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const SEGMENT_WORDS = 65536
const ENTRIES = 64
const CHUNKS = 64
const SECTORS = 1 << 21

const settings: CoreSettings = {
  slots: ENTRIES, batch: 32, buffered: false, arenaChunks: CHUNKS, reserveChunks: 1,
  disk: {
    sectorCount: SECTORS, sectorSize: 512, readOnly: false, offersFlush: true, offersBarrier: true, offersDiscard: true,
    maxSegments: 11,
  },
}

/** A ring that is always full of reads and writes of one page: what `take` finds was made before. */
class EndlessRing implements BackRing {
  readonly size = ENTRIES
  readonly entryWords = abiLayout('x86_64').entryWords
  readonly entries = new Int32Array(ENTRIES * this.entryWords)
  reqProd = 0

  constructor() {
    for (let index = 0; index < ENTRIES; index++) {
      const segments = [{ gref: index, firstSect: 0, lastSect: 7 }]
      const request = { op: index & 1, idLow: index, sectorLow: (index * 7919 * 8) % SECTORS, segments }
      encodeEntry(request, abiLayout('x86_64'), this.entries, index * this.entryWords)
    }
  }

  take(reqCons: number, _rspProd: number, max: number): number {
    this.reqProd = (reqCons + max) | 0
    return max
  }

  peek(): number {
    return 1
  }

  answer(): boolean {
    return false
  }

  arm(): boolean {
    return true
  }

  published(): number {
    return 0
  }

  close(): void {
    // Nothing is held.
  }
}

/** Finishes everything at the next look. */
class InstantMedium implements MediumPort {
  inFlight = 0
  private readonly done = new Int32Array(4096 * RESULT_WORDS)

  submit(requests: Int32Array, count: number): number {
    for (let index = 0; index < count; index++) {
      const at = index * IO_WORDS
      this.done[this.inFlight * RESULT_WORDS] = requests[at + 1]
      this.done[this.inFlight++ * RESULT_WORDS + 1] = requests[at + 3]
    }
    return count
  }

  reap(results: Int32Array, max: number): number {
    const count = Math.min(max, this.inFlight)
    results.set(this.done.subarray(0, count * RESULT_WORDS))
    this.done.copyWithin(0, count * RESULT_WORDS, this.inFlight * RESULT_WORDS)
    this.inFlight -= count
    return count
  }

  onReady(): void {
    // Nobody sleeps here.
  }

  arm(): boolean {
    return true
  }

  close(): void {
    // Nothing is held.
  }
}

/** Writes a journal of at least `bytes` into `path`; `report` hears after every segment how many bytes stand there. */
export function fabricate(path: string, bytes: number, report: (written: number) => void = () => undefined): void {
  const file = openSync(path, 'w')
  let written = 0
  let sequence = 0
  let words = new Int32Array(0)
  const write = () => {
    written += words.length * 4
    writeSync(file, new Uint8Array(words.buffer))
    report(written)
  }
  const next = () => {
    write()
    words = new Int32Array(SEGMENT_WORDS)
    return { words, sequence: ++sequence }
  }
  const core = new QueueCore(settings, compiledSteppers)
  const origin = { program: 'bench', boot: 'bench', pid: 1, wallMs: 0, monotonicNs: 0 }
  const sink = new BatchWriter(queueIdentity({ journal: 'vbd/1/51712/q0', settings, ...origin }), { next }, {
    wordsMax: () => checkpointWordsMax(core),
    write: (into, at) => writeCheckpoint(core, into, at),
  })
  let now = 0
  const nothing = () => undefined
  const plane = new QueuePlane({
    core, ring: new EndlessRing(), layout: abiLayout('x86_64'), medium: new InstantMedium(), sink,
    grants: { copy: () => 0, close: nothing },
    channel: { notify: nothing, onNotified: nothing, unmask: nothing, close: nothing },
    chunks: { borrow: () => [], giveBack: nothing },
    nowNs: () => (now += 10_000),
  })
  plane.command(COMMAND_ATTACH)
  plane.lend(Array.from({ length: CHUNKS }, (_, chunk) => chunk))
  while (written < bytes) plane.round()
  write()
  closeSync(file)
}

/** What a process of its own measured. */
export interface ReplayFigures {
  readonly requests: number
  readonly seconds: number
  readonly maxRssBytes: number
  readonly agrees: boolean
}

/** (replay) requests per second through the compiled charts and through XState, and the memory of each. */
export function replaySection(bytes: number, say: Say): Section {
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-bench-replay-'))
  try {
    const rows = [
      { mode: 'compiled', bytes, target: 1e6 },
      { mode: 'lint', bytes: Math.min(bytes, 1 << 28), target: 5e5 },
      { mode: 'xstate', bytes: Math.min(bytes, 1 << 25), target: 1e6 / 60 },
    ]
    const measured = rows.map((row) => {
      const show = progressBetween(terminalOn(process.stdout, process.stderr, process.env))
      const path = join(dir, row.mode)
      say(`a journal of ${formatBytes(row.bytes)} is fabricated`)
      fabricate(path, row.bytes, (written) => show(() => `${formatBytes(written)} of it are written`))
      say(`it is folded: ${row.mode}`)
      const figures = measure(path, row.mode)
      rmSync(path)
      return { ...row, ...figures }
    })
    return {
      name: 'replay',
      title: 'replay of a fabricated journal on one core, in a process of its own',
      columns: columns('|charts', 'journal', 'requests', 'per CPU second', 'target', 'ratio', 'memory', '|verdict'),
      table: measured.map(({ mode, bytes: size, requests, seconds, target, maxRssBytes, agrees }) => [
        mode, formatBytes(size), formatCount(requests), formatCount(requests / seconds), formatCount(target),
        `${(requests / seconds / target).toFixed(1)}×`, formatBytes(maxRssBytes), agrees ? 'agrees' : 'DIFFERS',
      ]),
      notes: [
        'The target of xstate is a million a minute, that of compiled a million a second.',
        'lint: the same fold under all rules of `xbbd lint`; its target is a million in two seconds.',
        'memory: the largest resident set of the process; asked for: at most 256 MiB for a journal of 4 GiB (--journal 4096).',
      ],
      rows: measured,
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function measure(path: string, mode: string): ReplayFigures {
  const script = join(packageRoot(), 'dist/bench/replay-process.js')
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const { status, stdout } = spawnSync(process.execPath, [script, path, mode], { encoding: 'utf8', stdio: [...stdio] })
  if (status !== 0) throw new XbbdError('XBBD_BENCH', `the replay of ${path} ended with ${status}`, { exitCode: 70 })
  return JSON.parse(stdout) as ReplayFigures
}
