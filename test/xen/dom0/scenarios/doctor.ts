/**
 * @packageDocumentation
 * `xbbd doctor` in a real dom0: with the unit's rights and as root it finds the package's host in order, and each trouble
 * that is planted is named with its cure. Where the cure is a command, that very command is run, and it must help.
 */
import type { Finding } from '../../../../src/cli/doctor/judge.js'
import { execute, type Executed } from '../execute.js'
import { applyUdevRules, confinement } from '../privileges.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'

const BLACKLIST = '/etc/modprobe.d/xbbd.conf'
const DOCTOR = ['/usr/bin/xbbd', 'doctor']

/** With the rights of the service, or fewer. */
function asService(more: readonly string[] = [], memlock = 'unlimited'): Promise<Executed> {
  const under = confinement().map((word) => word.replace(/^--memlock=.*/, `--memlock=${memlock}:${memlock}`))
  const [command, ...args] = [...under, ...DOCTOR, ...more]
  return execute(command, args)
}

const asRoot = (...more: string[]) => execute(DOCTOR[0], [DOCTOR[1], ...more])

interface Judgement {
  readonly status: number | null
  /** All that is not `ok`. */
  readonly found: readonly Finding[]
}

function judgement({ status, stdout }: Executed): Judgement {
  const { world, user, findings } = JSON.parse(stdout) as { world: string; user: string; findings: Finding[] }
  expect({ world, user }).toEqual({ world: 'xen', user: 'xbbd' })
  expect(findings.length).toBeGreaterThan(10)
  return { status, found: findings.filter(({ level }) => level !== 'ok') }
}

/** What root and the service are told, which must be the same. */
async function judged(): Promise<Judgement> {
  const [service, root] = [judgement(await asService(['--json'])), judgement(await asRoot('--json'))]
  expect(service.status).toBe(root.status)
  expect(service.found.map(({ check }) => check)).toEqual(root.found.map(({ check }) => check))
  return root
}

/** Runs the commands that a cure names, as whoever reads it would. */
async function follow(t: Toolbox, { cure = '' }: Finding): Promise<void> {
  const commands = [...cure.matchAll(/`([^`]+)`/g)].map(([, command]) => command)
  expect(commands).not.toEqual([])
  for (const command of commands) expect({ command, ...(await t.sh(command)) }).toMatchObject({ status: 0 })
}

scenario('xbbd doctor in dom0: a host in order, and what is planted', { boot: 'rig', timeout: 150 }, async (t) => {
  t.cleanup(() => t.sh(`rm -f ${BLACKLIST}`))
  await t.daemon.start()
  const fresh = await judged()
  // The one thing that no package can decide for its host.
  expect(fresh).toMatchObject({ status: 0, found: [{ check: 'blkback', level: 'warning' }] })
  await follow(t, fresh.found[0])
  expect(await judged()).toEqual({ status: 0, found: [] })
  const text = await asService()
  expect(text).toMatchObject({ status: 0, stderr: '' })
  expect(text.stdout).toMatch(/0 problems, 0 warnings\n$/)
  expect(text.stdout).toContain(`process ${t.daemon.pid}`)
  await t.daemon.stop()

  // The kernel's back end is there before us, and has a disk.
  t.cleanup(() => t.sh('rmmod xen_blkback'))
  await t.sh('modprobe xen-blkback')
  const guest = await t.guest({ disks: [`format=raw,vdev=xvdb,access=rw,target=${t.image('theirs', 4 << 20)}`] })
  const { status, found } = await judged()
  expect({ status, found }).toMatchObject({ status: 69, found: [{ check: 'blkback', level: 'problem' }] })
  expect(found[0].sentence).toContain(`vbd-${guest.domid}-51728`)
  t.log(`${found[0].sentence}: ${found[0].cure}`)
  await t.xl('block-detach', guest.name, 'xvdb')
  await follow(t, found[0])
  expect(await judged()).toEqual({ status: 0, found: [] })

  // A node that udev did not give to the group.
  await t.sh('chgrp root /dev/xen/gntdev && chmod 600 /dev/xen/gntdev')
  const closed = await judged()
  expect(closed).toMatchObject({ status: 77, found: [{ check: 'device.gntdev', level: 'problem' }] })
  expect(closed.found[0].cure).toContain('60-xbbd.rules')
  t.log(`${closed.found[0].sentence}: ${closed.found[0].cure}`)
  applyUdevRules()
  expect(await judged()).toEqual({ status: 0, found: [] })

  // A service without the unit's limit.
  const poor = judgement(await asService(['--json'], String(4 << 20)))
  expect(poor).toMatchObject({ status: 0, found: [{ check: 'memlock', level: 'warning' }] })
  expect(poor.found[0].cure).toContain('LimitMEMLOCK=infinity')
  t.log(`${poor.found[0].sentence}: ${poor.found[0].cure}`)
})
