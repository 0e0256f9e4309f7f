/**
 * @packageDocumentation
 * Debian's Chromium under Playwright, and what a page must never do there: ask another host for anything, run against its
 * policy, throw. Whoever opens a browser closes it.
 */
import { chromium, type Browser, type Page } from 'playwright-core'

export async function openBrowser(): Promise<Browser> {
  // Its sandbox wants a user of its own, which root in a container is not.
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
}

export interface Look {
  readonly width?: number
  readonly height?: number
  readonly scheme?: 'light' | 'dark'
}

/** A page, and what went wrong in it so far. */
export interface WatchedPage {
  readonly page: Page
  /** Errors of its scripts and its console, violations of its policy. */
  readonly troubles: readonly string[]
  /** Hosts that it asked for something. */
  readonly hosts: ReadonlySet<string>
}

/** Opens the address and waits until there is something to see. */
export async function openPage(browser: Browser, url: string, look: Look = {}): Promise<WatchedPage> {
  const { width = 1280, height = 860, scheme = 'light' } = look
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' })
  const page = await context.newPage()
  const troubles: string[] = []
  const hosts = new Set<string>()
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text())
  })
  page.on('request', (request) => hosts.add(new URL(request.url()).host))
  await page.goto(url)
  await page.waitForSelector('main')
  return { page, troubles, hosts }
}
