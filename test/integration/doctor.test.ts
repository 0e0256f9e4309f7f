/** `xbbd doctor` on this machine, whatever it is: with a world of its own it is well, and it sees what is planted. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '../../src/cli/doctor/judge.js'
import { RealWorld } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

let world: RealWorld
beforeAll(async () => void (world = await RealWorld.start()))
afterAll(() => world.close())

async function doctor(settings: string): Promise<{ status: number | null; findings: Finding[] }> {
  const config = join(world.dir, 'doctor.conf')
  writeFileSync(config, settings)
  const { status, stdout } = await xbbd('doctor', '--config', config, '--json')
  return { status, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings }
}

const of = (findings: Finding[], check: string) => findings.find((finding) => finding.check === check)

test('the embedded world, before its daemon, with it, and after its death', async () => {
  const settings = `world = embedded\nrun.dir = ${world.dir}/run\nhost.dir = ${world.hostDir}\njournal.size = 16M\n`
  const before = await doctor(settings)
  expect(before.status).toBe(0)
  expect(of(before.findings, 'xenstore')).toMatchObject({ level: 'ok' })
  expect(of(before.findings, 'daemon')?.sentence).toBe('no daemon runs')
  const daemon = await world.daemon()
  expect(of((await doctor(settings)).findings, 'daemon')?.sentence).toMatch(new RegExp(`process ${daemon.pid}\\b`))
  daemon.signal('SIGKILL')
  await daemon.ended
  expect(of((await doctor(settings)).findings, 'daemon')?.sentence).toMatch(/goes on from the journals/)
}, 90_000)

test('a configuration that makes no sense, and a world that is not here', async () => {
  const broken = await doctor('journal.size = enormous\n')
  expect(broken.status).toBe(78)
  expect(of(broken.findings, 'config')).toMatchObject({ level: 'problem', sentence: expect.stringMatching(/journal\.size/) as unknown })
  const nowhere = await doctor(`world = embedded\nhost.dir = ${world.dir}/none\nrun.dir = ${world.dir}/none\njournal.size = 64G\n`)
  expect(of(nowhere.findings, 'xenstore')).toMatchObject({ level: 'warning' })
  expect((await xbbd('doctor')).stdout).toMatch(/^ok {7}\S[^]*\n\d+ problems?, \d+ warnings?\n$/)
}, 90_000)
