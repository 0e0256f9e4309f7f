/**
 * @packageDocumentation
 * Bench (p): what the live page costs the data path while it is open. A daemon with 64 disks, one of them under load; in
 * every other window somebody asks what an open page asks, at its pace, for the disk under load and for all of them.
 *
 *   window   without · with · without · with …       requests answered in each, by the daemon's own counters
 *
 * The asking is done by this process, which does not draw: a browser's work is not the daemon's.
 */
import { get } from 'node:http'
import { formatCount, formatNanoseconds } from '../src/cli/units.js'
import type { DeviceStatistics } from '../src/ports/daemon-api.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { lowThreadsOf, threadTimesOf } from './process-figures.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'
import { grow, withStage } from './stage.js'
import type { Stage } from './stage.js'

const DEVICES = 64
/** As page/src asks: what is now, and its events, once a second; what was, every three seconds. */
const LOOK_MS = 1000
const HISTORY_EVERY = 3
const WARM_UP_MS = 3000

interface Window {
  readonly requestsPerSecond: number
  /** CPU time in a second: of the daemon's main thread, */
  readonly mainNs: number
  /** of the page's own, */
  readonly pageNs: number
  /** and of all others but the busiest, which serves the queue: those in which V8 compiles and collects garbage. */
  readonly othersNs: number
  readonly answerMs: number
}

interface Row extends Window {
  readonly what: string
  readonly ratio: number
}

export async function openPageSection(pace: Pace, say: Say): Promise<Section> {
  const rounds = pace.quick ? 2 : 20
  const windowMs = pace.quick ? 2000 : 3000
  const rows = await withStage(async (stage) => {
    say(`${DEVICES} disks are attached`)
    await grow(stage, DEVICES)
    const [{ name }] = await statistics(stage)
    const load = stage.ask({ kind: 'load', milliseconds: WARM_UP_MS + 3 * rounds * windowMs })
    await sleep(WARM_UP_MS)
    const pages = [undefined, `device=${encodeURIComponent(name)}`, '']
    const runs: Window[][] = pages.map(() => [])
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`)
      for (const [index, page] of pages.entries()) runs[index].push(await watch(stage, name, page, windowMs))
    }
    await load
    const of = (index: number, value: (run: Window) => number) => median(runs[index].map(value))
    return ['closed', 'open, on the disk under load', 'open, on all disks'].map((what, index): Row => ({
      what,
      requestsPerSecond: of(index, (run) => run.requestsPerSecond),
      mainNs: of(index, (run) => run.mainNs),
      pageNs: of(index, (run) => run.pageNs),
      othersNs: of(index, (run) => run.othersNs),
      answerMs: of(index, (run) => run.answerMs),
      ratio: median(runs[index].map((run, round) => run.requestsPerSecond / runs[0][round].requestsPerSecond)),
    }))
  })
  return {
    name: 'p',
    title: `one of ${DEVICES} disks under load, with the page closed and open`,
    columns: columns('|page', 'requests/s', 'ratio', 'main thread', 'its thread', 'others', 'an answer'),
    table: rows.map((row) => [
      row.what, formatCount(row.requestsPerSecond), `${row.ratio.toFixed(3)}×`,
      ...[row.mainNs, row.pageNs, row.othersNs].map(formatNanoseconds),
      row.answerMs === 0 ? '' : formatNanoseconds(row.answerMs * 1e6),
    ]),
    notes: [
      'Ratio: to the window without it in the same round, median. Asked for: at most 2 % less while it is open.',
      'CPU time in a second: of the main thread, of the page\'s thread, of all others but the one that serves the queue.',
      'An answer: all that is asked in a second, one after the other.',
    ],
    rows,
  }
}

async function watch(stage: Stage, name: string, page: string | undefined, windowMs: number): Promise<Window> {
  const answered = async () => {
    const counters = (await statistics(stage)).find((device) => device.name === name)?.counters ?? {}
    return counters['answeredOkay'] + counters['answeredError']
  }
  const [before, threadsBefore, from] = [await answered(), threadTimesOf(stage.daemonPid), performance.now()]
  const answers: number[] = []
  for (let look = 0; performance.now() - from < windowMs; look++) {
    const asked = performance.now()
    if (page !== undefined) {
      for (const question of questions(page, look)) await ask(stage.socket, question)
      answers.push(performance.now() - asked)
    }
    await sleep(Math.min(LOOK_MS - (performance.now() - asked), windowMs - (performance.now() - from)))
  }
  const seconds = (performance.now() - from) / 1000
  return {
    ...threadCosts(stage.daemonPid, threadsBefore, seconds),
    requestsPerSecond: ((await answered()) - before) / seconds, answerMs: answers.length > 0 ? median(answers) : 0,
  }
}

function threadCosts(pid: number, before: ReadonlyMap<string, number>, seconds: number) {
  const low = lowThreadsOf(pid)
  const spent = [...threadTimesOf(pid)].map(([task, ranNs]) => ({ task, ns: (ranNs - (before.get(task) ?? 0)) / seconds }))
  const sum = (some: typeof spent) => some.reduce((total, { ns }) => total + ns, 0)
  const [main, page] = [spent.filter(({ task }) => task === String(pid)), spent.filter(({ task }) => low.has(task))]
  const others = spent.filter((one) => !main.includes(one) && !page.includes(one)).sort((a, b) => b.ns - a.ns)
  return { mainNs: sum(main), pageNs: sum(page), othersNs: sum(others.slice(1)) }
}

function questions(page: string, look: number): string[] {
  const history = look % HISTORY_EVERY === 0 ? [`history?${page}&bins=240`] : []
  const kinds = page === '' ? 'device' : 'device,queue,request'
  return [`view?${page}`, `events?${page}&kinds=${kinds}&before=60&after=0`, ...history]
}

const statistics = async ({ control }: Stage) => (await control.call('statistics')) as readonly DeviceStatistics[]

/** Reads the answer to its end; rejects when it is none. */
function ask(socketPath: string, question: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: `/api/${question}` }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${question} was answered with ${response.statusCode}`))
      response.on('end', resolve).on('error', reject).resume()
    }).on('error', reject)
  })
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)))
