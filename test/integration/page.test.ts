/**
 * The page in a real browser: what it shows is what the journals say, it asks nobody but its own server, its policy holds,
 * strangers get nothing, and it can be used with keys alone, on a narrow screen and in the dark.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import type { Events, View } from '../../src/observe/page/types.js'
import { openBrowser, openPage } from '../support/browser.js'
import { present, testWith } from '../support/clients.js'
import { writeSegments } from '../support/journal-tools.js'
import { PageView } from '../support/page-view.js'
import { RealWorld, until } from '../support/processes.js'
import { recordedSegments } from '../support/recorded-device.js'

const DEVICE = 'vbd/1/51712'
const folder = mkdtempSync(join(tmpdir(), 'xbbd-page-'))
let browser: Browser | undefined
let view: PageView

beforeAll(async () => {
  const { actors, queue } = recordedSegments()
  writeSegments(folder, [...actors, ...queue])
  view = await PageView.start(folder)
  if (present('chromium')) browser = await openBrowser()
}, 60_000)
afterAll(async () => {
  // The server goes first: a browser that hangs must not leave it behind.
  await (view as PageView | undefined)?.end()
  await browser?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** When that stands in the events of a kind. */
async function momentOf(text: string, kind: string): Promise<number> {
  const { rows } = await view.ask<Events>(`events?device=${DEVICE}&kinds=${kind}&text=${encodeURIComponent(text)}&before=500`)
  expect(rows.length).toBeGreaterThan(0)
  return rows[0].timeNs
}

const open = (url: string, look = {}) => openPage(browser as Browser, url, look)

testWith(['chromium'], 'a recording: a moment by its address, the charts lit, the requests of that moment, and no trouble', async () => {
  const at = await momentOf('entered Shortage', 'queue')
  const { device } = await view.ask<View>(`view?device=${DEVICE}&at=${at}`)
  const { page, troubles, hosts } = await open(view.at(`device=${DEVICE}&at=${at}&chart=request`))
  await page.waitForSelector('.picture .state.active')
  const [queue] = device?.queues ?? []
  expect(queue.requests.length).toBeGreaterThan(3)
  expect(await page.locator('.requests tbody tr').count()).toBe(queue.requests.length)
  const lit = await page.locator('.picture .state.active:has(> .count)').evaluateAll((all) => (all as { id: string }[]).map(({ id }) => id))
  expect(lit.sort()).toEqual(Object.keys(queue.counts).map((state) => `request.${state}`).sort())
  expect(await page.locator('.picture .arrow.taken').count()).toBeGreaterThan(0)
  expect(await page.locator('.ring').textContent()).toMatch(/Shortage · short of (slots|buffers)/)
  await page.getByRole('tab', { name: 'queue' }).click()
  await page.waitForSelector('[id="queue.Shortage"].active')
  await page.getByRole('tab', { name: 'device' }).click()
  await page.waitForSelector('[id="device.Connected.intake.Running"].active')
  // One request alone, with its way from the ring on.
  await page.locator('.requests tbody tr button').first().click()
  await page.waitForSelector(`[id="request.${queue.requests[0].state}"].active`)
  expect(await page.locator('.picture .count').count()).toBe(0)
  expect(page.url()).toContain(`slot=${queue.requests[0].slot}`)
  expect({ troubles, hosts: [...hosts] }).toEqual({ troubles: [], hosts: [new URL(view.url).host] })
  await page.context().close()
}, 90_000)

testWith(['chromium'], 'keys: event by event, play, the ends, the filter, and back to all disks', async () => {
  const { span } = await view.ask<View>('view')
  const { page, troubles } = await open(view.at(`device=${DEVICE}&at=${span.fromNs}`))
  const at = () => Number(/at=(\d+)/.exec(page.url())?.[1] ?? Number.NaN)
  await page.keyboard.press('ArrowRight')
  await until('a step went forward', () => at() > span.fromNs)
  const second = at()
  await page.keyboard.press('ArrowRight')
  await until('another one', () => at() > second)
  await page.keyboard.press('ArrowLeft')
  await until('a step went back', () => at() === second)
  await page.keyboard.press('End')
  await until('the end is the end', () => !page.url().includes('at='))
  await page.keyboard.press('Home')
  await until('the beginning', () => at() === span.fromNs)
  await page.keyboard.press(' ')
  await until('it plays to the end', () => !page.url().includes('at='))
  await page.keyboard.press('/')
  await page.keyboard.type('short of slots')
  await until('events are filtered', async () => {
    const texts = await page.locator('.events li').allTextContents()
    return texts.length > 0 && texts.every((text) => text.includes('short of slots'))
  })
  await page.locator('.events li button').first().click()
  await until('an event goes to its moment', () => at() > span.fromNs)
  await page.keyboard.press('Escape')
  await page.waitForSelector('.devices')
  await page.getByLabel('moment', { exact: true }).focus()
  expect(troubles).toEqual([])
  await page.context().close()
}, 90_000)

testWith(['chromium'], 'on 390 pixels nothing is cut off, in the dark it is dark', async () => {
  const at = await momentOf('entered Shortage', 'queue')
  const { page, troubles } = await open(view.at(`device=${DEVICE}&at=${at}`), { width: 390, height: 800, scheme: 'dark' })
  await page.waitForSelector('.picture .state.active')
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390)
  expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(22, 25, 29)')
  expect(troubles).toEqual([])
  await page.context().close()
}, 90_000)

testWith(['chromium'], 'a page of another origin gets nothing, though its browser has the cookie', async () => {
  const { page } = await open(view.url)
  const stranger = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>hello</p>'))
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  try {
    await page.goto(`http://127.0.0.1:${(stranger.address() as AddressInfo).port}/`)
    const answers = await page.evaluate(`Promise.all(['cors', 'no-cors'].map((mode) =>
      fetch(${JSON.stringify(`${view.origin}/api/view`)}, { mode, credentials: 'include' })
        .then((response) => response.text(), (error) => error.name)))`)
    expect(answers).toEqual(['TypeError', expect.stringMatching(/^(TypeError)?$/)])
    await page.setContent(`<iframe src="${view.origin}/"></iframe>`)
    await page.waitForTimeout(200)
    const frames = page.frames().slice(1)
    for (const frame of frames) expect(await frame.locator('main').count()).toBe(0)
  } finally {
    stranger.close()
    await page.context().close()
  }
}, 90_000)

const get = (url: string, headers: Record<string, string> = {}) =>
  new Promise<{ status: number | undefined; body: string; policy: string }>((resolve, reject) => {
    const asked = request(url, { headers }, (answer) => {
      let body = ''
      answer.on('data', (chunk) => (body += String(chunk)))
      answer.on('end', () => resolve({ status: answer.statusCode, body, policy: String(answer.headers['content-security-policy']) }))
    })
    asked.on('error', reject).end()
  })

test('the token is required, for files and answers; other methods and other files are refused', async () => {
  const token = { authorization: `Bearer ${view.token}` }
  for (const path of ['/', '/app.js', '/api/view', '/charts/request.svg'])
    expect(await get(`${view.origin}${path}`)).toMatchObject({ status: 401, body: expect.stringContaining('its token') as string })
  const page = await get(`${view.origin}/`, token)
  expect(page.status).toBe(200)
  expect(page.policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
  expect(page.policy).not.toMatch(/unsafe|http/)
  for (const path of ['/charts/../../package.json', '/charts/%2e%2e/package.json', '/page', '/api/', '/index.html'])
    expect((await get(`${view.origin}${path}`, token)).status).toBe(404)
  expect(await get(`${view.origin}/api/view?at=x`, token)).toMatchObject({ status: 400, body: 'at must be a number\n' })
  const posted = await fetch(`${view.origin}/api/view`, { method: 'POST', headers: token })
  expect(posted.status).toBe(405)
})

testWith(['chromium'], 'a daemon that runs: which disk waits, which request, since when and for what; on the port that is asked for, too', async () => {
  const world = await RealWorld.start()
  const port = await freePort()
  try {
    const flags = ['--page-listen', `127.0.0.1:${port}`]
    const daemon = await world.daemon({ flags, plant: 'delay=600000@vbd/2/51712' })
    const guests = [await world.guest(), await world.guest()]
    for (const { domid } of guests) await daemon.attach({ domid, target: world.image(1 << 20) })
    const fronts = await Promise.all(guests.map((guest) => guest.connect()))
    await fronts[0].write(0, Buffer.alloc(4096))
    void Promise.allSettled([fronts[1].read(8192, 4096), fronts[1].write(0, Buffer.alloc(512))])
    const live = await PageView.start('--socket', daemon.socket)
    const { page, troubles, hosts } = await open(live.url)
    await page.waitForSelector('.answer .badge.waiting')
    expect(await page.locator('.answer').textContent()).toContain('vbd/2/51712 (xvda)')
    await page.locator('.answer button.link').first().click()
    await page.waitForSelector('.requests tbody tr.old')
    expect(await page.locator('.answer .first').textContent()).toMatch(/^The oldest of 2 requests in flight is a read at sector 16 /)
    expect(await page.locator('.requests tbody tr').first().textContent()).toContain('the medium (1 I/O)')
    expect(await page.locator('.ring').textContent()).toContain('2 taken, at work')
    await page.waitForSelector('[id="request.Submitted"].active > .count')
    expect({ troubles, hosts: [...hosts] }).toEqual({ troubles: [], hosts: [new URL(live.url).host] })
    const place = join(daemon.runDir, 'page')
    expect(statSync(place).mode & 0o777).toBe(0o600)
    const listed = await openPage(browser as Browser, readFileSync(place, 'utf8').trim())
    expect(await listed.page.locator('.devices tbody tr').count()).toBe(2)
    expect((await get(`http://127.0.0.1:${port}/api/view`)).status).toBe(401)
    expect(await live.end()).toBe(0)
    daemon.signal('SIGKILL')
  } finally {
    await world.close()
  }
}, 180_000)

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
