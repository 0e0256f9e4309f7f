/** The unit's rights without systemd: the daemon lives under them, and what they deny is denied. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { testWith } from '../support/clients.js'
import { RealWorld } from '../support/processes.js'
import { buildFilter, confinement, shippedUnit, unitRights } from '../xen/confine/unit-rights.js'

const TOOLS = ['systemd-analyze', 'gcc', 'setpriv', 'prlimit'] as const
const directory = mkdtempSync(join(tmpdir(), 'xbbd-confinement-'))
const filter = join(directory, 'filter')
afterAll(() => rmSync(directory, { recursive: true }))

const CAP_SYS_RESOURCE = 1n << 24n
const capabilities = BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`)

/** All of it for root; who is not can still load the filter. A container's root may not raise limits: then it says so. */
function wrapper(unit = shippedUnit()): string[] {
  const rights = unitRights(unit)
  buildFilter(rights, filter)
  if (process.getuid?.() !== 0) return [filter]
  if ((capabilities & CAP_SYS_RESOURCE) !== 0n) return confinement(rights, filter, undefined)
  process.stderr.write(`without CAP_SYS_RESOURCE the limits of this machine stay: ${rights.limits.join(' ')}\n`)
  return confinement({ ...rights, limits: [] }, filter, undefined)
}

/** Calls the kernel and prints the errno's name, 0 for success: nothing here does harm where it is allowed. */
const PROBE = `
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else '0'
print(' '.join([call(101, 0, 0, 0, 0), call(165, 0, 0, 0, 0, 0), call(169, 0, 0, 0, 0), call(41, 2, 1, 0), call(272, 0),
    call(425, 0, 0), call(41, 1, 1, 0)]))
`
const probe = (under: readonly string[]) => {
  const [command, ...args] = [...under, 'python3', '-c', PROBE]
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return stdout.trim() || stderr
}

testWith(TOOLS, 'ptrace, mount, reboot, an Internet socket and namespaces are denied; io_uring and unix sockets are not', () => {
  const under = wrapper()
  //                                ptrace mount reboot inet    unshare io_uring_setup unix
  expect(probe(under)).toBe('EPERM EPERM EPERM EAFNOSUPPORT EPERM EFAULT 0')
  expect(probe([])).toMatch(/^0 \w+ \w+ 0 0 EFAULT 0$/)
  // The very list of the unit: what is taken from it there is denied here.
  const less = wrapper(shippedUnit().replace('SystemCallFilter=~userfaultfd', 'SystemCallFilter=~io_uring_setup userfaultfd'))
  expect(probe(less)).toMatch(/ EPERM 0$/)
  const other = wrapper(shippedUnit().replace('SystemCallErrorNumber=EPERM', 'SystemCallErrorNumber=EACCES'))
  expect(probe(other)).toMatch(/^EACCES EACCES EACCES/)
  return Promise.resolve()
})

testWith(TOOLS, 'a unit that says more than is carried out here is refused', () => {
  expect(() => unitRights(shippedUnit().replace('AF_UNIX', 'AF_UNIX AF_INET'))).toThrow(/RestrictAddressFamilies/)
  expect(() => unitRights(shippedUnit().replace(/^SystemCallFilter=@.*$/m, ''))).toThrow(/no list of allowed/)
  return Promise.resolve()
})

testWith(TOOLS, 'the daemon, its Workers and io_uring live under it', async () => {
  const world = await RealWorld.start()
  try {
    const flags = ['--workers', '2', '--medium-engine', 'io_uring']
    const daemon = await world.daemon({ flags, under: wrapper() })
    const status = readFileSync(`/proc/${daemon.pid}/status`, 'utf8')
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]
    expect([field('Seccomp'), field('NoNewPrivs')]).toEqual(['2', '1'])
    if (process.getuid?.() === 0)
      expect([field('CapEff'), field('CapBnd')]).toEqual(['0000000000000000', '0000000000000000'])
    const guest = await world.guest({ pages: 16_384 })
    for (const [index, vdev] of ['xvda', 'xvdb'].entries()) {
      await daemon.attach({ domid: guest.domid, vdev, target: world.image(8 << 20) })
      const device = await guest.connect({ ringPages: 2 }, vdev)
      const load = { device, clock: systemClock, seed: index, count: 1500, depth: 24, maxBytes: 16_384 }
      expect(await runWorkload(load)).toMatchObject({ ok: true, errors: 0 })
      await device.close()
    }
    daemon.signal('SIGHUP')
    await daemon.process.line(/"msg":"reloaded"/)
    expect(await daemon.stop('close')).toMatchObject({ left: [] })
    expect((await daemon.ended).status).toBe(0)
  } finally {
    await world.close()
  }
})
