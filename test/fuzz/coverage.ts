/**
 * @packageDocumentation
 * Which code an input has reached, by V8's own block coverage (node:inspector, on this thread). V8 tells ranges and how
 * often each ran; how it cuts them depends on the counts, so ranges are no good as names. What counts is what never ran:
 * of each function the bytes that no input has reached yet. An input is new when that becomes less.
 *
 *   function   ├────────────────────────────┤
 *   this run       ░░░░░   ░░░░░░              did not run
 *   so far         ░░░░░░░░░                   ─► still not reached: ░░░░░  ░░     less than before: new
 */
import { Session } from 'node:inspector'
import type { Profiler } from 'node:inspector'

interface Range {
  readonly from: number
  readonly to: number
}

export class Coverage {
  private readonly session = new Session()
  private readonly watched: RegExp
  /** Of each function seen, what has not run yet; in order, without overlaps. */
  private readonly missed = new Map<string, readonly Range[]>()
  /** Bytes of source that have run; for people. */
  reached = 0

  /** `watched`: the addresses of the modules that count. */
  constructor(watched: RegExp) {
    this.watched = watched
    this.session.connect()
    this.session.post('Profiler.enable')
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    this.look()
  }

  get functions(): number {
    return this.missed.size
  }

  /**
   * Takes what ran since the last look. @returns whether any of it never ran before. With `keep` false it is not noted,
   * so that it is new again.
   */
  look(keep = true): boolean {
    let isNew = false
    let scripts: readonly Profiler.ScriptCoverage[] = []
    // A session with its own thread answers before post returns.
    this.session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error
      scripts = answer.result
    })
    for (const { url, scriptId, functions } of scripts)
      if (this.watched.test(url)) for (const one of functions) isNew = this.note(scriptId, one, keep) || isNew
    return isNew
  }

  close(): void {
    this.session.post('Profiler.stopPreciseCoverage')
    this.session.disconnect()
  }

  private note(script: string, { ranges }: Profiler.FunctionCoverage, keep: boolean): boolean {
    const [whole, ...parts] = ranges
    if (whole.count === 0) return false
    const key = `${script}:${whole.startOffset}:${whole.endOffset}`
    const idle = parts.filter(({ count }) => count === 0).map(({ startOffset: from, endOffset: to }) => ({ from, to }))
    const before = this.missed.get(key)
    const after = before ? common(before, idle) : idle
    const [was, is] = [before ? length(before) : whole.endOffset - whole.startOffset, length(after)]
    if (before && is >= was) return false
    if (!keep) return true
    this.missed.set(key, after)
    this.reached += was - is
    return true
  }
}

const length = (ranges: readonly Range[]) => ranges.reduce((sum, { from, to }) => sum + to - from, 0)

/** What lies in both. */
function common(some: readonly Range[], others: readonly Range[]): Range[] {
  const both: Range[] = []
  for (const one of some)
    for (const other of others) {
      const [from, to] = [Math.max(one.from, other.from), Math.min(one.to, other.to)]
      if (from < to) both.push({ from, to })
    }
  return both
}
