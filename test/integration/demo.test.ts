/**
 * The demo is the main job, shown: it must end with 0 when all is well, and find every fault that it plants itself.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { View } from '../../src/observe/page/types.js'
import { startXbbd, xbbd } from '../support/xbbd-process.js'

const QUICK = ['demo', '--seconds', '0.3']

test('the demo runs from image to replay and everything agrees', async () => {
  const { status, stdout, stderr } = await xbbd(...QUICK)
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout).toContain('every byte is what the guest sees')
  expect(stdout).toMatch(/replay of vbd\/1\/51712\/q0: .*: agrees/)
  expect(stdout).toMatch(/replay of vbd\/1\/51712: .* events: agrees/)
  expect(stdout).toContain('every byte and every transition agreed')
}, 60_000)

test.each([
  ['read', /the guest found a fault at depth \d+: sector \d+ was written as version|the image differs/],
  ['answer', /the guest found a fault at depth \d+: .* failed: EIO/],
  ['journal', /the replay of vbd\/1\/51712\/q0 found: .*checksum/],
])('the demo finds a fault planted in: %s', async (what, sentence) => {
  const { status, stderr } = await xbbd(...QUICK, '--break', what)
  expect(status).toBe(1)
  expect(stderr).toMatch(sentence)
}, 60_000)

test('the demo serves NBD clients until a signal comes, and then ends as cleanly', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-demo-nbd-'))
  try {
    const demo = startXbbd('demo', '--nbd', join(dir, 'sock'))
    let said = ''
    await new Promise<void>((resolve) =>
      demo.child.stdout?.on('data', (chunk) => {
        said += String(chunk)
        if (said.includes('Ctrl-C ends it')) resolve()
      }),
    )
    demo.child.kill('SIGINT')
    const { status, stdout } = await demo.ended
    expect(stdout).toContain('every byte and every transition agreed')
    expect(status).toBe(0)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}, 60_000)

test('the demo stays at work under its page until a signal comes, and then ends as cleanly', async () => {
  const demo = startXbbd('demo', '--page', '--seconds', '0.3')
  let said = ''
  await new Promise<void>((resolve) =>
    demo.child.stdout?.on('data', (chunk) => {
      said += String(chunk)
      if (said.includes('depth  32')) resolve()
    }),
  )
  const { origin, searchParams } = new URL(/http:\S+/.exec(said)?.[0] ?? '')
  const headers = { authorization: `Bearer ${searchParams.get('token')}` }
  const view = (await (await fetch(`${origin}/api/view`, { headers })).json()) as View
  expect(view).toMatchObject({ live: true, devices: [{ name: 'vbd/1/51712', vdev: 'xvda' }] })
  expect((await fetch(`${origin}/api/view`)).status).toBe(401)
  demo.child.kill('SIGINT')
  const { status, stdout } = await demo.ended
  expect(stdout).toContain('every byte and every transition agreed')
  expect(status).toBe(0)
}, 60_000)

test('a signal in the midst of the demo ends all its processes', async () => {
  const demo = startXbbd('demo', '--seconds', '20')
  let said = ''
  await new Promise<void>((resolve) =>
    demo.child.stdout?.on('data', (chunk) => {
      said += String(chunk)
      if (said.includes('attached as xvda')) resolve()
    }),
  )
  demo.child.kill('SIGINT')
  expect((await demo.ended).status).not.toBe(0)
  const pids = [...said.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid))
  expect(pids).toHaveLength(3)
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
}, 60_000)
