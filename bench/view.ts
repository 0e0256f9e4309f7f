/**
 * @packageDocumentation
 * The bench of the page over a long recording: a journal of a million requests, looked at through `xbbd view` in a process
 * of its own. How soon there is something to see, how long a jump of the slider takes, how much memory that process had.
 *
 *   fabricate ─► FILE ─► xbbd view ─► first view · jumps anywhere · histories until all is looked at ─► VmHWM
 *
 * Where Chromium is installed, the first view is also timed in it, from the address to the disks on the screen.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { formatBytes, formatCount, formatNanoseconds } from '../src/cli/units.js'
import { packageRoot } from '../src/io/native/load.js'
import type { History, View } from '../src/observe/page/types.js'
import { fabricate } from './replay.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const CHROMIUM = '/usr/bin/chromium'
/** What the fabricated journal takes for a request, roughly; the requests are counted afterwards. */
const BYTES_PER_REQUEST = 96
const JUMPS = 200

interface Figure {
  readonly what: string
  readonly measured: string
  readonly target: string
  readonly value: number
}

/** (v) the page over a recording of so many requests. */
export async function viewSection(requests: number, say: Say): Promise<Section> {
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-bench-view-'))
  const path = join(dir, 'journal.xbj')
  try {
    say('a journal is fabricated')
    fabricate(path, requests * BYTES_PER_REQUEST)
    const rows = await measure(path, say)
    return {
      name: 'v',
      title: 'the page over a fabricated journal, `xbbd view` in a process of its own',
      columns: columns('|what', 'measured', 'asked for'),
      table: rows.map(({ what, measured, target }) => [what, measured, target]),
      notes: ['A jump is the answer to a moment anywhere, with all that the page shows of one disk.'],
      rows,
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function measure(path: string, say: Say): Promise<Figure[]> {
  say('the page is opened')
  const began = performance.now()
  const child = spawn(process.execPath, [join(packageRoot(), 'dist/src/cli/main.js'), 'view', path], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const url = await new Promise<string>((resolve) => child.stdout.once('data', (text) => resolve(String(text).trim())))
    const ask = asking(url)
    const { span, devices } = await ask<View>('view')
    const usable = performance.now() - began
    const onScreen = existsSync(CHROMIUM) ? await openTime(url) : undefined
    say(`${JUMPS} jumps of the slider`)
    const jumps: number[] = []
    for (let jump = 0; jump < JUMPS; jump++) {
      const at = Math.round(span.fromNs + ((jump * 0.618034) % 1) * (span.toNs - span.fromNs))
      const from = performance.now()
      await ask<View>(`view?device=${devices[0].name}&at=${at}`)
      jumps.push(performance.now() - from)
    }
    say('all of it is summed up')
    const summing = performance.now()
    let history: History
    do history = await ask<History>('history?bins=240')
    while (history.done < 1)
    const seconds = (history.span.toNs - history.span.fromNs) / 240 / 1e9
    const answered = history.bins.reduce((sum, bin) => sum + (bin?.answered ?? 0) * seconds, 0)
    jumps.sort((a, b) => a - b)
    const memory = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024
    const time = (what: string, ms: number, target: string): Figure => ({ what, measured: formatNanoseconds(ms * 1e6), target, value: ms })
    return [
      { what: 'requests answered in it', measured: formatCount(answered), target: '1M', value: answered },
      time('from the command to the first view', usable, '2 s'),
      ...(onScreen === undefined ? [] : [time('from the address to the disks, in Chromium', onScreen, '2 s')]),
      time('a jump, median', jumps[Math.floor(JUMPS / 2)], ''),
      time('a jump, 99 of 100', jumps[Math.floor(JUMPS * 0.99)], '200 ms'),
      time('a jump, the longest', jumps[JUMPS - 1], ''),
      time('until the heat map knows all of it', performance.now() - summing, ''),
      { what: 'memory of the server, at most', measured: formatBytes(memory), target: '256 MiB', value: memory },
    ]
  } finally {
    child.kill('SIGKILL')
  }
}

function asking(url: string) {
  const { origin, searchParams } = new URL(url)
  const headers = { authorization: `Bearer ${searchParams.get('token')}` }
  return async <Answer>(question: string) => (await (await fetch(`${origin}/api/${question}`, { headers })).json()) as Answer
}

/** Milliseconds; Chromium's own start does not count. */
async function openTime(url: string): Promise<number> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
  try {
    const page = await browser.newPage()
    const began = performance.now()
    await page.goto(url)
    await page.waitForSelector('.devices tbody tr')
    return performance.now() - began
  } finally {
    await browser.close()
  }
}
