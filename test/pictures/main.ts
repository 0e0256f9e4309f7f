/**
 * @packageDocumentation
 * `npm run pictures`: plays a story (story.ts) with the real program, looks at it through the page in Debian's Chromium,
 * and writes the pictures of docs/images/, each in light and in dark. A person looks at them before they are committed.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import type { Events } from '../../src/observe/page/types.js'
import { packageRoot } from '../../src/io/native/load.js'
import { openBrowser, openPage } from '../support/browser.js'
import { PageView } from '../support/page-view.js'
import { RealWorld } from '../support/processes.js'
import { play } from './story.js'

const folder = join(packageRoot(), 'docs/images')
const say = (sentence: string) => void process.stderr.write(`pictures: ${sentence}\n`)

interface Picture {
  readonly name: string
  readonly url: string
  readonly height?: number
  /** How long the page has to come to know the past. */
  readonly patienceMs?: number
  /** What must be there before the picture is taken. */
  readonly wait: string
}

/** Both schemes. */
async function take(browser: Browser, { name, url, height = 900, wait, patienceMs = 2500 }: Picture): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    const { page, troubles } = await openPage(browser, url, { height, scheme })
    await page.waitForSelector(wait)
    await page.waitForTimeout(patienceMs) // rates want two looks, a history some
    await page.screenshot({ path: join(folder, `page-${name}-${scheme}.png`) })
    await page.context().close()
    say(`page-${name}-${scheme}.png${troubles.length === 0 ? '' : `, with trouble: ${troubles.join('; ')}`}`)
  }
}

const lit = '.picture .state.active'

async function live(browser: Browser, socket: string): Promise<void> {
  const view = await PageView.start('--socket', socket)
  await take(browser, { name: 'overview', url: view.url, wait: '.badge.waiting', height: 980, patienceMs: 9000 })
  await take(browser, { name: 'stuck', url: view.at('device=vbd/3/51712'), wait: lit, height: 1480 })
  await view.end()
}

async function recorded(browser: Browser, journal: string): Promise<void> {
  const view = await PageView.start(journal)
  const moment = async (device: string, kind: string, text: string, which: 'first' | 'last' = 'first') => {
    const { rows } = await view.ask<Events>(`events?device=${device}&kinds=${kind}&text=${encodeURIComponent(text)}&before=500`)
    const row = which === 'first' ? rows.at(0) : rows.at(-1)
    if (row === undefined) throw new Error(`the story has no «${text}» of ${device}`)
    return row.timeNs
  }
  const draining = await moment('vbd/2/51712', 'device', 'is in Closing.draining')
  await take(browser, { name: 'draining', url: view.at(`device=vbd/2/51712&at=${draining + 600e6}&chart=device`), wait: lit, height: 1480 })
  const short = await moment('vbd/1/51712', 'queue', 'entered Shortage', 'last')
  await take(browser, { name: 'shortage', url: view.at(`device=vbd/1/51712&at=${short + 300e3}&chart=queue`), wait: lit, height: 1480 })
  const recovering = await moment('vbd/1/51712', 'device', 'is in Recovering.mapping')
  await take(browser, { name: 'recovery', url: view.at(`device=vbd/1/51712&at=${recovering}&chart=device`), wait: lit, height: 1480 })
  await view.end()
}

async function main(): Promise<void> {
  const world = await RealWorld.start()
  const browser = await openBrowser()
  try {
    mkdirSync(folder, { recursive: true })
    say('three guests are at work')
    const journal = await play(world, ({ daemon }) => live(browser, daemon.socket))
    await recorded(browser, journal)
  } finally {
    await browser.close()
    await world.close()
  }
}

// Requests that were never answered would keep the process.
main().then(
  () => process.exit(0),
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error))
    process.exit(1)
  },
)
