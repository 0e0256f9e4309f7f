/**
 * `xbbd replay` as an operator uses it to look into a recording: at a moment, until a condition holds, step by step,
 * and beside another recording; for people and as JSON.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runWorld } from '../../src/sim/run-world.js'
import { writeSegments } from '../support/journal-tools.js'
import { recordedSegments } from '../support/recorded-device.js'
import { startXbbd, xbbd } from '../support/xbbd-process.js'

const folder = mkdtempSync(join(tmpdir(), 'xbbd-replay-'))
const device = join(folder, 'device')
const other = join(folder, 'other')

beforeAll(() => {
  const { actors, queue } = recordedSegments()
  for (const dir of [device, other]) mkdirSync(dir)
  writeSegments(device, [...actors, ...queue])
  writeSegments(other, runWorld({ seed: 77, steps: 200, segmentWords: 4096 }).segments)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function asJson<T>(...args: string[]): Promise<T> {
  const { status, stdout, stderr } = await xbbd(...args, '--json')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout) as T
}

interface Moment {
  readonly journals: readonly { readonly journal: string; readonly actors?: readonly object[]; readonly queue?: Queue }[]
}
interface Queue {
  readonly batch: number
  readonly state: string
  readonly inFlight: number
  readonly requests: readonly { readonly state: string; readonly description: string; readonly waitsFor: string }[]
}

test('--at a batch shows every actor and every request, with the words of the charts', async () => {
  const { journals } = await asJson<Moment>('replay', device, '--at', '40')
  expect(journals.map(({ journal }) => journal)).toEqual(['vbd/1/51712', 'vbd/1/51712/q0'])
  expect(journals[0].actors).toEqual([
    expect.objectContaining({ actor: 'vbd/1/51712', state: 'Connected.intake.Running Connected.medium.Present' }),
    expect.objectContaining({ actor: 'vbd/1/51712/medium', state: 'Closed' }),
  ])
  const queue = journals[1].queue
  expect(queue?.batch).toBe(40)
  expect(queue?.requests).toHaveLength(queue?.inFlight ?? -1)
  for (const { description, waitsFor } of queue?.requests ?? []) expect(`${description}${waitsFor}`).not.toBe('')
  const text = await xbbd('replay', device, '--at', '40')
  expect(text.stdout).toMatch(/^ +SLOT +ID +WHAT +SECTOR +SIZE +STATE +FOR +AGE +WAITS FOR$/m)
  expect(text.stdout).toMatch(/The front end has its disk|intake/i)
})

test('--at a time; what is no moment, or none of these, is said', async () => {
  const { journals } = await asJson<Moment>('replay', device, '--journal', 'vbd/1/51712/q0', '--at', '-0')
  expect(journals[0].queue).toMatchObject({ state: 'Detached', inFlight: 0 })
  expect(await xbbd('replay', device, '--at', 'noon')).toMatchObject({ status: 64 })
  const beyond = await xbbd('replay', device, '--at', '999999')
  expect(beyond).toMatchObject({ status: 66 })
  expect(beyond.stderr).toMatch(/there is no batch 999999: vbd\/1\/51712\/q0 has batches 0 to \d+/)
})

test('--until finds the first moment, and ends with 1 when there is none', async () => {
  const found = await asJson<{ found: boolean; sentence: string; moment: Moment }>('replay', device, '--until', 'queue in Shortage')
  expect(found).toMatchObject({ found: true, sentence: 'vbd/1/51712/q0 is in Shortage' })
  expect(found.moment.journals[1].queue).toMatchObject({ state: 'Shortage' })
  const never = await xbbd('replay', device, '--until', 'queue in Broken')
  expect(never).toMatchObject({ status: 1, stdout: '' })
  expect(never.stderr).toMatch(/never was it so that queue in Broken/)
  expect(await xbbd('replay', device, '--until', 'queue in Brokn')).toMatchObject({ status: 64 })
})

test('--step walks by lines from a pipe, forward and back, and a slip ends nothing', async () => {
  const walk = startXbbd('replay', device, '--step', '--json')
  walk.child.stdin?.end('n 20\nn\nb\nu queue in Draining\ng 3\nz z\ng nowhere\nr\nq\n')
  const { status, stdout, stderr } = await walk.ended
  expect(status).toBe(0)
  expect(stderr).toMatch(/"nowhere" is no moment/)
  const lines = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as { journal: string; batch: number })
  const places = lines.map(({ journal, batch }) => `${journal} ${batch}`)
  expect(places[2]).toBe(places[0])
  expect(places[1]).not.toBe(places[0])
  expect(places[4]).toBe('vbd/1/51712/q0 3')
  expect(stdout).toContain('"kind":"taken"')
})

test('--diff says where two recordings part; --diff wants two', async () => {
  expect(await xbbd('replay', '--diff', device, device)).toMatchObject({ status: 0 })
  const { status, stdout } = await xbbd('replay', '--diff', device, other)
  expect(status).toBe(1)
  expect(stdout).toMatch(/vbd\/1\/51712\/q0, requests: the first \d+ are the same, then\n {2}A {2}batch \d+: .*\n {2}B {2}batch/)
  expect(await xbbd('replay', '--diff', device)).toMatchObject({ status: 64 })
  expect(await xbbd('replay', device, other)).toMatchObject({ status: 64 })
})
