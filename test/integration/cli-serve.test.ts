import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startScript, xbbd, type Running } from '../support/xbbd-process.js'

let dir: string
let config: string
let socket: string
const started: Running[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'xbbd-serve-'))
  config = join(dir, 'xbbd.conf')
  socket = join(dir, 'control')
  writeFileSync(config, '')
})
afterEach(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(started.map(({ ended }) => ended))
  started.length = 0
  rmSync(dir, { recursive: true, force: true })
})

type Idle = 'answers' | 'hangs' | 'throws' | 'slow'

function spawnIdle(idle: Idle, runDir: string, ...flags: string[]): Running {
  const args = ['run', '--config', config, '--run-dir', runDir, ...flags]
  const daemon = startScript({ XBBD_TEST_IDLE: idle }, 'test/support/serve-idle.js', ...args)
  started.push(daemon)
  return daemon
}

async function start(idle: Idle = 'answers', ...flags: string[]): Promise<Running> {
  const daemon = spawnIdle(idle, dir, ...flags)
  await daemon.line(/"msg":"ready"/)
  return daemon
}

test('SIGTERM and SIGINT park and end with 0; every line of the log is JSON; nothing is left to be found', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const daemon = await start()
    expect(readFileSync(join(dir, 'lock'), 'utf8')).toBe(`${daemon.child.pid}\n`)
    daemon.child.kill(signal)
    const { status, stderr } = await daemon.ended
    const lines = stderr.trim().split('\n').map((line) => JSON.parse(line) as { level: string; msg: string })
    expect(status).toBe(0)
    expect(lines.map(({ level, msg }) => `${level} ${msg}`)).toEqual([
      'info starting',
      'info ready',
      'info parking: guests keep their disks',
      'info stopping: devices are parked',
      'info stopped: all devices parked',
    ])
    expect(existsSync(socket)).toBe(false)
  }
})

test('`xbbd stop` parks, `xbbd stop --close` closes; the command returns when the daemon is gone', async () => {
  for (const [args, said] of [[[], 'parked'], [['--close'], 'closed']] as const) {
    const daemon = await start()
    const stopped = await xbbd('stop', ...args, '-s', socket)
    expect(stopped).toEqual({ status: 0, stdout: `1 disk ${said}, daemon stopped\n`, stderr: '' })
    expect((await daemon.ended).status).toBe(0)
  }
})

test('a second signal stops waiting for a medium that hangs, says what is left, and ends with 75', async () => {
  const daemon = await start('hangs')
  daemon.child.kill('SIGTERM')
  await daemon.line(/stopping: devices are parked/)
  daemon.child.kill('SIGTERM')
  const { status, stderr } = await daemon.ended
  expect(status).toBe(75)
  expect(stderr).toMatch(/a second signal \(SIGTERM\) ends the wait of \d+ s for vbd\/5\/51712 \(.*3 requests in flight\)/)
  expect(stderr).toMatch(/stopped; left behind: vbd\/5\/51712/)
})

test('park.timeout, and --timeout of stop, stop waiting as a second signal does', async () => {
  writeFileSync(config, 'park.timeout = 10ms\n')
  const daemon = await start('hangs')
  daemon.child.kill('SIGTERM')
  expect((await daemon.ended).status).toBe(75)
  writeFileSync(config, '')
  const other = await start('hangs')
  const stopped = await xbbd('stop', '--timeout', '10ms', '-s', socket)
  expect(stopped).toMatchObject({ status: 75, stdout: expect.stringMatching(/left: vbd\/5\/51712/) as unknown })
  expect((await other.ended).status).toBe(75)
})

test('a second daemon on the same run.dir is refused and disturbs nothing; after a kill the next one starts', async () => {
  const first = await start()
  const second = spawnIdle('answers', dir)
  const { status, stderr } = await second.ended
  expect(status).toBe(75)
  expect(stderr).toBe(
    `another daemon (process ${first.child.pid}) serves ${dir}: ` +
      'stop it with `xbbd stop`, or give this one its own --run-dir\n',
  )
  expect((await xbbd('list', '-s', socket)).status).toBe(0)
  first.child.kill('SIGKILL')
  await first.ended
  expect(statSync(socket).isSocket()).toBe(true)
  await start()
  expect((await xbbd('list', '-s', socket)).status).toBe(0)
})

test('SIGHUP takes what can change, names what waits, and refuses a file with a problem as a whole', async () => {
  const daemon = await start()
  writeFileSync(config, 'medium.depth = 32\nworkers = 2\n')
  daemon.child.kill('SIGHUP')
  const line = JSON.parse(await daemon.line(/reloaded/)) as object
  expect(line).toMatchObject({ changed: ['medium.depth'], waiting: ['workers'], msg: 'reloaded; some wait for the next start' })
  const shown = await xbbd('config', 'show', '--running', '--json', '-s', socket)
  expect(JSON.parse(shown.stdout)).toMatchObject({ 'medium.depth': 32, workers: 1 })
  writeFileSync(config, 'medium.depth = 64\nwrkers = 3\n')
  daemon.child.kill('SIGHUP')
  expect(await daemon.line(/not reloaded/)).toMatch(/unknown setting .*wrkers/)
  daemon.child.kill('SIGTERM')
  const { status, stdout } = await daemon.ended
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'applied depth 32\n' })
})

test('a run.dir that cannot be used is one sentence and 73', async () => {
  const daemon = spawnIdle('answers', `${config}/below-a-file`)
  expect(await daemon.ended).toMatchObject({ status: 73, stderr: expect.stringMatching(/^cannot use .*--run-dir\n$/) as unknown })
})

test('every setting is a flag, checked as the file is, and wins over it', async () => {
  writeFileSync(config, 'workers = 2\nmedium.depth = 8\n')
  const daemon = await start('answers', '--workers', '3', '--medium-direct', 'no')
  const { stdout } = await xbbd('config', 'show', '--running', '--json', '-s', socket)
  expect(JSON.parse(stdout)).toMatchObject({ workers: 3, 'medium.depth': 8, 'medium.direct': false, 'run.dir': dir })
  daemon.child.kill('SIGTERM')
  expect((await daemon.ended).status).toBe(0)
  expect(await spawnIdle('answers', dir, '--workers', '99').ended).toEqual({
    status: 78,
    stdout: '',
    stderr: '--workers: workers = "99": must lie between 1 and 64\n',
  })
})

test('a fault that nobody catches is logged with its stack and ends the daemon with 70', async () => {
  const { status, stderr } = await spawnIdle('throws', dir).ended
  expect(status).toBe(70)
  expect(stderr).toMatch(/"level":"fatal".*nobody catches this.*"stack":"TypeError/)
})

test('a signal that comes before the daemon is ready is obeyed when it is', async () => {
  const { status, stderr } = await spawnIdle('slow', dir).ended
  expect(status).toBe(0)
  expect(stderr).toMatch(/ready.*\n.*parking: guests keep their disks/)
})
