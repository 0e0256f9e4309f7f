/**
 * @packageDocumentation
 * `xbbd replay --step`: a recording walked forward and back. In a terminal single keys move (arrows, space); a line of
 * words does anything else, and from a pipe everything comes as lines, so that a walk can be scripted.
 *
 *   n [count]  b [count]  g MOMENT  u CONDITION  s (all of this moment)  r (the last batch's records)  q  ?
 */
import { createInterface, emitKeypressEvents } from 'node:readline'
import type { ReadStream } from 'node:tty'
import { catChain, dateOf } from '../../journal/cat.js'
import type { JournalChain } from '../../journal/chain.js'
import { parseCondition } from '../../journal/condition.js'
import { recordLine } from '../../journal/describe-record.js'
import type { DecodedRecord } from '../../journal/describe-record.js'
import type { RecordedBatch } from '../../journal/recording.js'
import { Scene, walkUntil } from '../../journal/scene.js'
import { sentenceOf } from '../../protocol/errors.js'
import type { Terminal } from '../terminal.js'
import { formatNanoseconds } from '../units.js'
import { goTo, readMoment } from './look.js'
import { momentText, recordingMoment } from './moment-text.js'

const HELP = `  n [count]     forward (→, space, Enter)       b [count]     back (←)
  g MOMENT      go to a batch or a time         u CONDITION   on until it holds
  s             everything at this moment       r             the records of the last batch
  q             end                             ?             this help
`
const COUNT_MAX = 1_000_000

/** Where lines come from; `isTTY` streams give keys, too. */
export type StepInput = NodeJS.ReadableStream & { readonly isTTY?: boolean }

/** One walk. */
export class Stepper {
  private readonly scene: Scene
  private readonly terminal: Terminal
  private readonly json: boolean
  private lastNs: number | undefined

  constructor(chains: readonly JournalChain[], terminal: Terminal, json: boolean) {
    this.scene = new Scene(chains)
    this.terminal = terminal
    this.json = json
  }

  /** Obeys one line. @returns false when the walk is over. */
  obey(line: string): boolean {
    const [word = 'n', ...rest] = line.trim().split(/\s+/).filter((part) => part !== '')
    try {
      switch (word) {
        case 'q':
          return false
        case 'n':
          this.move(countOf(rest), () => this.scene.forward(), 'this is the end of the recording')
          return true
        case 'b':
          this.move(countOf(rest), () => this.back(), 'this is the beginning of the recording')
          return true
        case 'g':
          this.scene.nowNs = goTo(this.scene.recording, readMoment(rest.join(' ')))
          this.show(this.scene.recording.latest())
          return true
        case 'u':
          this.until(rest.join(' '))
          return true
        case 's':
          this.showAll()
          return true
        case 'r':
          this.showRecords()
          return true
        default:
          this.terminal.out(HELP)
      }
    } catch (error) {
      // A slip of the pen does not end a walk.
      this.terminal.note(sentenceOf(error))
    }
    return true
  }

  private move(count: number, step: () => RecordedBatch | undefined, end: string): void {
    let moved: RecordedBatch | undefined
    for (let index = 0; index < count; index++) {
      const next = step()
      if (next === undefined) {
        this.terminal.note(end)
        break
      }
      moved = next
    }
    if (moved) this.show(this.scene.recording.latest())
  }

  private back(): RecordedBatch | undefined {
    this.scene.happened.clear()
    const undone = this.scene.recording.back()
    this.scene.nowNs = this.scene.recording.latest()?.timeNs ?? 0
    return undone
  }

  private until(text: string): void {
    const found = walkUntil(this.scene, parseCondition(text))
    if (found === undefined) return this.terminal.note(`the recording ends, and never was it so that ${text}`)
    if (!this.json) this.terminal.out(`${found.sentence}\n`)
    this.show(found.batch)
  }

  /** One line for where we stand: date, step of time, journal, batch, what it did, where its actors came to. */
  private show(place: RecordedBatch | undefined): void {
    if (place === undefined) return this.terminal.out(this.json ? '{"batch":null}\n' : 'before the first batch\n')
    const { cursor, batch, timeNs } = place
    const records = recordsOf(place)
    if (this.json) {
      const moment = recordingMoment(this.scene.recording, timeNs)
      const shown = { journal: cursor.chain.journal, batch: batch.number, records, ...moment }
      return this.terminal.out(`${JSON.stringify(shown)}\n`)
    }
    const passed = this.lastNs === undefined ? 0 : timeNs - this.lastNs
    this.lastNs = timeNs
    const date = dateOf(this.scene.recording.chains[0].identity, timeNs)
    const sign = passed < 0 ? '-' : '+'
    const head = `${date} ${sign}${formatNanoseconds(Math.abs(passed))}  ${cursor.chain.journal}  batch ${batch.number}`
    this.terminal.out(`${head}: ${summaryOf(records)}; ${standing(place)}\n`)
  }

  private showAll(): void {
    const moment = recordingMoment(this.scene.recording, this.scene.nowNs)
    this.terminal.out(this.json ? `${JSON.stringify(moment)}\n` : momentText(moment))
  }

  private showRecords(): void {
    const place = this.scene.recording.latest()
    if (place === undefined) return this.show(undefined)
    const records = recordsOf(place)
    const lines = records.map((one) => `  ${recordLine(one)}\n`).join('')
    this.terminal.out(this.json ? `${JSON.stringify(records)}\n` : lines)
  }
}

function countOf([text = '1']: readonly string[]): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= COUNT_MAX) return count
  throw new Error(`${JSON.stringify(text)} is no number of batches from 1 to ${COUNT_MAX}`)
}

function recordsOf({ cursor, batch }: RecordedBatch): DecodedRecord[] {
  const { chain } = cursor
  const segments = chain.segments.filter(({ header }) => header.firstBatch <= batch.number).slice(-1)
  const range = { from: batch.number, to: batch.number }
  return [...catChain({ ...chain, segments }, range)].map(({ record }) => record)
}

/** `3 taken, 2 answered`: how many of each kind; a single record is shown as it is. */
function summaryOf(records: readonly DecodedRecord[]): string {
  if (records.length === 1) return recordLine(records[0])
  const kinds = new Map<string, number>()
  for (const { kind } of records) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  return [...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ') || 'nothing'
}

function standing({ cursor, batch }: RecordedBatch): string {
  const { queue, actors } = cursor
  const core = queue?.core
  if (core !== undefined) return `${core.inFlight} in flight`
  const told = actors?.toldIn(batch) ?? []
  return told.map(({ state }) => `in ${state}`).join(', ') || 'no change'
}

/** Walks until the input ends or says q. */
export async function walk(stepper: Stepper, input: StepInput, terminal: Terminal): Promise<void> {
  if (input.isTTY === true) return walkByKeys(stepper, input as ReadStream, terminal)
  for await (const line of createInterface({ input })) if (!stepper.obey(line)) return
}

const KEYS: { readonly [name: string]: string } = {
  right: 'n', space: 'n', return: 'n', n: 'n', left: 'b', b: 'b', down: 'n 10', up: 'b 10', s: 's', r: 'r', q: 'q',
}

/** Keys that move act at once; g, u and anything else begin a line. */
async function walkByKeys(stepper: Stepper, input: ReadStream, terminal: Terminal): Promise<void> {
  terminal.out(HELP)
  emitKeypressEvents(input)
  input.setRawMode(true)
  input.resume()
  let line = ''
  await new Promise<void>((resolve) => {
    const onKey = (text: string | undefined, key: { name?: string; ctrl?: boolean }) => {
      const { name = '', ctrl = false } = key
      if (ctrl && (name === 'c' || name === 'd')) return end()
      const command = line === '' ? KEYS[name] : name === 'return' ? line : undefined
      if (command !== undefined) {
        terminal.status('')
        line = ''
        if (!stepper.obey(command)) end()
        return
      }
      line = name === 'backspace' ? line.slice(0, -1) : line + (text ?? '')
      terminal.status(line)
    }
    const end = () => {
      input.off('keypress', onKey)
      resolve()
    }
    input.on('keypress', onKey)
  })
  input.setRawMode(false)
  input.pause()
}
