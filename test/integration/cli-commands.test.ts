import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NEVER } from 'rxjs'
import { controlMethods, type ControlledDaemon } from '../../src/cli/control/methods.js'
import { ControlServer } from '../../src/cli/control/server.js'
import { loadSettings, settingsOrThrow } from '../../src/cli/config/load.js'
import type { AttachSpec, DaemonApi, DetachSpec, DiscSpec, LimitSpec, ResizeSpec, DeviceListing } from '../../src/ports/daemon-api.js'
import { XbbdError } from '../../src/protocol/errors.js'
import { xbbd } from '../support/xbbd-process.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-cli-'))
const socket = join(dir, 'control')
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const listing: DeviceListing = {
  domid: 5, devid: 51712, vdev: 'xvda', name: 'vbd/5/51712', state: 'Connected', backendState: 'Connected',
  path: '/local/domain/0/backend/vbd/5/51712',
  frontendState: 'Connected', online: true, target: '/srv/a.img', mode: 'w', sectorCount: 131072, sectorSize: 512,
  connection: { abi: 'x86_64', ringPages: 16, ringEntries: 512, queues: [] }, error: undefined,
  limit: {}, notes: ['its size was rounded'], restarts: 0, gaveUp: false, connections: 1,
}

const held = { rings: 0, channels: 0, grants: 0 }
const owned = { descriptors: 0, mappings: 0 }

/** Remembers what it was asked; the commands' side of the socket is what is tested here. */
function recordingApi(asked: unknown[]): DaemonApi {
  return {
    attach: (spec: AttachSpec) => {
      asked.push(spec)
      if (spec.vdev === 'bad')
        return Promise.reject(new XbbdError('XBBD_VDEV', 'bad is no name of a disk: use xvda', { exitCode: 64 }))
      return Promise.resolve({ created: true, device: listing })
    },
    detach: (spec: DetachSpec) => {
      asked.push(spec)
      return Promise.resolve({ existed: true, removed: spec.force === true })
    },
    changeDisc: (spec: DiscSpec) => {
      asked.push(spec)
      return Promise.resolve({ ...listing, target: spec.target })
    },
    resize: (spec: ResizeSpec) => {
      asked.push(spec)
      return Promise.resolve({ sectorCountBefore: spec.vdev === 'xvda' ? 1024 : listing.sectorCount, device: listing })
    },
    limit: ({ domid: _domid, vdev: _vdev, anew: _anew, ...limit }: LimitSpec) => {
      asked.push({ domid: _domid, vdev: _vdev, anew: _anew, ...limit })
      return Promise.resolve({ ...listing, limit })
    },
    list: () => [listing],
    statistics: () => [
      {
        name: 'vbd/5/51712', domid: 5, vdev: 'xvda', counters: { reads: 12, writes: 0 },
        // buckets of a quarter octave: six reads below 256 ns, six in the bucket from 1792 to 2048 ns
        histograms: { readLatency: [6, 0, 0, 0, 0, 0, 0, 6, 0], writeLatency: [0, 0], rejectedByReason: [3] },
      },
    ],
    stop: () => Promise.reject(new Error('the process around it stops')),
    abandonStop: () => undefined,
    pending: () => [],
    held: () => held,
    rings: () => [],
    changed$: NEVER,
    alive: () => Promise.resolve(),
  }
}

function recordingDaemon(asked: unknown[]): ControlledDaemon {
  return {
    api: recordingApi(asked),
    status: () => ({ build: '', version: '0', pid: 1, world: 'embedded', since: '', devices: 1, held, owned, state: 'running' }),
    config: () => settingsOrThrow(loadSettings({})),
    reload: () => ({ changed: [], waiting: [] }),
    upgrade: () => Promise.reject(new Error('nobody asks for it')),
    stop: (mode, timeoutMs, progress) => {
      asked.push({ stop: mode, timeoutMs })
      progress({ pending: [] })
      const left = mode === 'close' ? [{ name: 'vbd/5/51712', state: 'Closing', inFlight: 3 }] : []
      setImmediate(() => void server?.close())
      return Promise.resolve({ mode, devices: 1, left, held })
    },
  }
}

let server: ControlServer | undefined
const asked: unknown[] = []
beforeEach(async () => {
  asked.length = 0
  server = await ControlServer.listen(socket, controlMethods(recordingDaemon(asked)))
})
afterEach(() => server?.close())

test('attach asks for what was written and says what came of it', async () => {
  const which = ['--domain', '5', '--vdev', 'xvda', '--target', '/srv/a.img', '--mode', 'r', '--device-type', 'cdrom']
  const ended = await xbbd('attach', ...which, '--wait', '3s', '-s', socket)
  expect(asked).toEqual([
    { domid: 5, vdev: 'xvda', target: '/srv/a.img', mode: 'r', deviceType: 'cdrom', waitMs: 3000 },
  ])
  expect(ended).toEqual({
    status: 0,
    stdout: 'vbd/5/51712 (xvda, read-write, 64 MiB) attached: Connected\n',
    stderr: 'xbbd: its size was rounded\n',
  })
})

test("the daemon's sentence and status are the command's", async () => {
  expect(await xbbd('attach', '-d', '5', '-v', 'bad', '-t', 'null:1M', '-s', socket)).toEqual({
    status: 64,
    stdout: '',
    stderr: 'xbbd: bad is no name of a disk: use xvda\n',
  })
})

test('a detach that is not done in time ends with 75, a forced one is done', async () => {
  const which = ['--domain', '5', '--vdev', 'xvda', '-s', socket]
  expect(await xbbd('detach', ...which)).toMatchObject({ status: 75, stdout: '' })
  const forced = await xbbd('detach', ...which, '--force')
  expect(asked).toEqual([false, true].map((force) => ({ domid: 5, vdev: 'xvda', waitMs: 10_000, force })))
  expect(forced).toEqual({ status: 0, stdout: 'xvda of domain 5 detached\n', stderr: '' })
})

test('list is a table for people and JSON for programs', async () => {
  const table = await xbbd('list', '--statistics', '-s', socket)
  expect(table.stdout).toBe(
    'DEVICE       VDEV  STATE      BACK       FRONT        SIZE  MODE  RING  RESTARTS  TARGET\n' +
      'vbd/5/51712  xvda  Connected  Connected  Connected  64 MiB  w      512         0  /srv/a.img\n' +
      '\nvbd/5/51712: its size was rounded\n' +
      '\nvbd/5/51712          VALUE\nreads                   12\nreadLatency p50     256 ns\n' +
      'readLatency p99    2.05 µs\nreadLatency p99.9  2.05 µs\n',
  )
  const { stdout } = await xbbd('list', '--json', '-s', socket)
  expect(JSON.parse(stdout)).toEqual({ devices: [JSON.parse(JSON.stringify(listing))] })
})

test('stop parks, --close closes, and what is left shows in the status', async () => {
  expect(await xbbd('stop', '-s', socket)).toEqual({ status: 0, stdout: '1 disk parked, daemon stopped\n', stderr: '' })
  await server?.close()
  server = await ControlServer.listen(socket, controlMethods(recordingDaemon(asked)))
  expect(await xbbd('stop', '--close', '--timeout', '2s', '-s', socket)).toEqual({
    status: 75,
    stdout: 'daemon stopped before everything was done; left: vbd/5/51712 (Closing, 3 requests in flight)\n',
    stderr: '',
  })
  expect(asked).toEqual([{ stop: 'park' }, { stop: 'close', timeoutMs: 2000 }])
})

test('without a daemon every command that needs one ends with 69 and says how to start it', async () => {
  for (const args of [['list'], ['stop'], ['detach', '-d', '1', '-v', 'xvda']])
    expect(await xbbd(...args, '-s', join(dir, 'nobody'))).toMatchObject({
      status: 69,
      stderr: expect.stringMatching(/^xbbd: no daemon listens on .*start one with `xbbd run`.*\n$/) as unknown,
    })
})

test('a mistake on the command line is one sentence and 64', async () => {
  const attach = (domain: string, ...rest: string[]) => ['attach', '--domain', domain, '--vdev', 'xvda', ...rest]
  const wrong = [
    ['lst'], ['list', '--jsn'], ['attach', '5', 'xvda', 'null:1M'], attach('x', '--target', 'null:1M'), attach('5'),
    attach('5', '--target', 'null:1M', '--mode', 'rw'), attach('5', '--target', 'null:1M', 'more'),
  ]
  for (const args of wrong) {
    const { status, stdout, stderr } = await xbbd(...args)
    expect({ status, stdout, lines: stderr.split('\n').length }).toEqual({ status: 64, stdout: '', lines: 2 })
  }
  expect((await xbbd('lst')).stderr).toMatch(/Did you mean list/)
})

test('config check prints every problem at once and ends with 78; a good file ends with 0', async () => {
  const file = join(dir, 'xbbd.conf')
  writeFileSync(file, 'jurnal.size = 1M\nworkers = 99\n')
  expect(await xbbd('config', 'check', file)).toEqual({
    status: 78,
    stdout: '',
    stderr:
      `xbbd: ${file}:1: unknown setting "jurnal.size": did you mean journal.size?\n` +
      `xbbd: ${file}:2: workers = "99": must lie between 1 and 64\n`,
  })
  const asJson = await xbbd('config', 'check', file, '--json')
  expect(JSON.parse(asJson.stdout)).toMatchObject({ file, problems: [{ where: `${file}:1` }, { where: `${file}:2` }] })
  writeFileSync(file, 'workers = 2\n')
  expect(await xbbd('config', 'check', file)).toMatchObject({ status: 0, stderr: '' })
  const shown = await xbbd('config', 'show', '--json', '-c', file)
  expect(JSON.parse(shown.stdout)).toMatchObject({ workers: 2, 'journal.size': 67108864, 'medium.direct': true })
})

test('a command that talks to a daemon finds its socket in the configuration', async () => {
  const file = join(dir, 'socket.conf')
  writeFileSync(file, `control.socket = ${socket}\n`)
  expect(await xbbd('list', '-c', file)).toMatchObject({ status: 0 })
})

test('completion knows every command, and bash takes the script', async () => {
  const { stdout, status } = await xbbd('completion', 'bash')
  expect(status).toBe(0)
  const complete = (line: string) => {
    const words = line.split(' ')
    const set = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`
    return `${set}; _xbbd; echo "\${COMPREPLY[@]}"`
  }
  const lines = [
    'xbbd det', 'xbbd config ', 'xbbd attach --domain 5 --mo', 'xbbd attach --do', 'xbbd attach --domain 5 --mode ',
    'xbbd attach --device-type cd', 'xbbd detach --vd',
  ]
  const script = `${stdout}\n${lines.map(complete).join('\n')}`
  const bash = spawn('bash', ['-c', script])
  let out = ''
  bash.stdout.on('data', (chunk) => (out += String(chunk)))
  await new Promise((resolve) => bash.on('close', resolve))
  expect(out).toBe('detach\ncheck show help --help\n--mode\n--domain\nw r\ncdrom\n--vdev\n')
})
