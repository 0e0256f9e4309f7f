/**
 * Every script of examples/frontend over the embedded host, by `xbbd frontend` as a person runs it: those that need a
 * daemon of their own have one, the others join a host that is there (most of a run is the beginning of processes).
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import type { ScriptReport } from '../../src/script/run.js'
import { RealWorld, until } from '../support/processes.js'
import { startXbbd, xbbd, type Ended } from '../support/xbbd-process.js'

const folder = join(packageRoot(), 'examples/frontend')
const scripts = readdirSync(folder).filter((name) => name.endsWith('.xbf')).map((name) => join(folder, name))
const dir = mkdtempSync(join(tmpdir(), 'xbbd-scripts-'))

afterAll(() => rmSync(dir, { recursive: true }))

type Report = ScriptReport & { readonly script: string }

const ownDaemon = (path: string) => /^(setting|kill|stop|disk (slow|fails))/m.test(readFileSync(path, 'utf8'))

function judge({ status, stdout, stderr }: Ended, count: number): void {
  const reports = JSON.parse(stdout) as Report[]
  expect(reports.filter(({ ok }) => !ok)).toEqual([])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(reports).toHaveLength(count)
}

test('every example that needs a daemon of its own does what it expects', async () => {
  const own = scripts.filter(ownDaemon)
  expect(own.length).toBeGreaterThan(3)
  judge(await xbbd('frontend', '--json', ...own), own.length)
}, 60_000)

test('every other one, too, as a guest of a host that runs already; nothing is left there', async () => {
  const world = await RealWorld.start()
  try {
    const daemon = await world.daemon()
    const others = scripts.filter((path) => !ownDaemon(path))
    expect(others.length).toBeGreaterThan(8)
    judge(await xbbd('frontend', '--json', '--host-dir', world.hostDir, ...others), others.length)
    await until('nothing is attached', async () => (await daemon.list()).length === 0)
    const refused = await xbbd('frontend', '--host-dir', world.hostDir, join(folder, 'killed-between.xbf'))
    expect(refused.status).toBe(65)
    expect(refused.stderr).toContain('leave --host-dir away')
  } finally {
    await world.close()
  }
})

test('a script that is interrupted leaves no process behind', async () => {
  const script = join(dir, 'long.xbf')
  const keep = join(dir, 'kept')
  writeFileSync(script, 'connect\nput read at 0 sectors 8 as r\nexpect r okay\nwait 1m\n')
  const running = startXbbd('frontend', '-v', '--keep', keep, script)
  await running.line(/wait 60s/)
  running.child.kill('SIGINT')
  expect((await running.ended).stderr).toContain('it was interrupted')
  const commands = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8')
    } catch {
      return '' // ended meanwhile
    }
  })
  expect(commands.filter((command) => command.includes(keep))).toEqual([])
})

test('what comes otherwise ends with 1 and says where; a slip of the pen with 65; -v shows lines and answers', async () => {
  const wrong = join(dir, 'wrong.xbf')
  writeFileSync(wrong, 'connect\nput op 77 as r\nexpect r okay\n')
  const failed = await xbbd('frontend', '-v', wrong)
  expect(failed.status).toBe(1)
  expect(failed.stderr).toContain(`${wrong}:3: expect r okay: r was answered unsupported, expected was okay`)
  expect(failed.stderr).toContain('   2  put op 77 as r\n')
  expect(failed.stderr).toContain('<- r (id 1): -2')
  const slip = join(dir, 'slip.xbf')
  writeFileSync(slip, 'conect\n')
  const slipped = await xbbd('frontend', slip)
  expect(slipped.status).toBe(65)
  expect(slipped.stderr).toContain('did you mean connect?')
  expect((await xbbd('frontend', join(dir, 'none.xbf'))).status).toBe(66)
})
