/** What a service manager is told, without one: datagrams are caught, time is told to pass. */
import { Subject } from 'rxjs'
import { Announcer, disksText } from '../../src/cli/run/announcer.js'
import { ServiceManager } from '../../src/cli/run/service-manager.js'
import { feedWatchdog } from '../../src/cli/run/watchdog.js'
import type { DaemonApi, DeviceListing } from '../../src/ports/daemon-api.js'
import { ManualClock } from '../../src/sim/manual-clock.js'

const clock = new ManualClock()
let sent: string[] = []
let full = false
const warnings: string[] = []
beforeEach(() => {
  sent = []
  full = false
  warnings.length = 0
})

function managerIn(environment: NodeJS.ProcessEnv, send?: () => boolean): ServiceManager {
  const catching = (_address: string, text: string) => !full && sent.push(text) > 0
  const warn = (sentence: string) => void warnings.push(sentence)
  return new ServiceManager({ environment, pid: 7, clock, warn, send: send ?? catching })
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('the environment', () => {
  test('is read once and taken away, so that no child speaks in our name', () => {
    const environment = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7', HOME: '/' }
    expect(managerIn(environment)).toMatchObject({ listens: true, watchdogUsec: 30_000_000 })
    expect(environment).toEqual({ HOME: '/' })
  })
  test.each([
    [{}, false, undefined],
    [{ WATCHDOG_USEC: '5' }, false, undefined],
    [{ NOTIFY_SOCKET: 'vsock:2:1' }, false, undefined],
    [{ NOTIFY_SOCKET: '@' }, false, undefined],
    [{ NOTIFY_SOCKET: '@a', WATCHDOG_USEC: '5', WATCHDOG_PID: '8' }, true, undefined],
    [{ NOTIFY_SOCKET: '@a', WATCHDOG_USEC: '0' }, true, undefined],
    [{ NOTIFY_SOCKET: '@a', WATCHDOG_USEC: '1s' }, true, undefined],
    [{ NOTIFY_SOCKET: '@a', WATCHDOG_USEC: '18446744073709551615' }, true, undefined], // infinity
    [{ NOTIFY_SOCKET: '@a', WATCHDOG_USEC: '9000000000000' }, true, 3_600_000_000],
  ])('%j', (environment, listens, watchdogUsec) => {
    expect(managerIn({ ...environment })).toMatchObject({ listens, watchdogUsec })
  })
})

describe('telling', () => {
  test('nobody asked: nothing is sent and no timer is set', () => {
    const manager = managerIn({})
    manager.insist({ READY: 1 })
    expect([manager.tell({ STATUS: 'x' }), sent, clock.pending]).toEqual([true, [], 0])
  })
  test('a value keeps to its line', () => {
    managerIn({ NOTIFY_SOCKET: '@a' }).tell({ STATUS: 'one\nREADY=1' })
    expect(sent).toEqual(['STATUS=one·READY=1'])
  })
  test('what must arrive is sent again in order while the queue is full; what is soon out of date is not', () => {
    const manager = managerIn({ NOTIFY_SOCKET: '@a' })
    full = true
    manager.insist({ RELOADING: 1 })
    manager.insist({ READY: 1 })
    expect(manager.tell({ WATCHDOG: 1 })).toBe(false)
    clock.advance(1000)
    expect(sent).toEqual([])
    full = false
    expect(manager.tell({ WATCHDOG: 1 })).toBe(false) // not before those that wait
    clock.advance(100)
    expect(sent).toEqual(['RELOADING=1', 'READY=1'])
    expect([manager.tell({ WATCHDOG: 1 }), clock.pending]).toEqual([true, 0])
  })
  test('a manager that is gone is said once and is no reason to end', () => {
    const manager = managerIn({ NOTIFY_SOCKET: '/run/gone' }, () => {
      throw Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' })
    })
    manager.insist({ READY: 1 })
    manager.tell({ STATUS: '' })
    expect(warnings).toEqual([expect.stringMatching(/service manager at \/run\/gone cannot be told: .*ENOENT/)])
  })
})

describe('the watchdog', () => {
  test('signs after each answer, at most once a period, and never without one', async () => {
    let answer: () => void = () => undefined
    let asked = 0
    const alive = () => new Promise<void>((resolve) => {
      asked++
      answer = resolve
    })
    const end = feedWatchdog({ periodMs: 500, clock, alive, sign: () => void sent.push('sign') })
    const after = async (milliseconds: number) => {
      clock.advance(milliseconds)
      await settle()
      return [asked, sent.length]
    }
    expect(await after(400)).toEqual([1, 0])
    answer()
    await settle()
    expect([asked, sent.length]).toEqual([1, 1])
    expect(await after(99)).toEqual([1, 1])
    expect(await after(1)).toEqual([2, 1])
    expect(await after(60_000)).toEqual([2, 1]) // somebody hangs: neither a sign nor another question
    answer()
    await settle()
    expect([asked, sent.length]).toEqual([3, 2])
    end()
    answer()
    expect(await after(60_000)).toEqual([3, 2])
    expect(clock.pending).toBe(0)
  })
})

const disk = (backendState: DeviceListing['backendState'], state: string = backendState) =>
  ({ backendState, state, gaveUp: false }) as DeviceListing

test('disks in one line', () => {
  expect(disksText([])).toBe('no disks')
  expect(disksText([disk('Connected')])).toBe('1 disk: 1 connected')
  const all = [disk('Connected'), disk('InitWait'), disk('Closed', 'Failed'), disk('Closed'), disk('Closing'), disk('Connected')]
  expect(disksText(all)).toBe('6 disks: 1 changing, 1 closed, 2 connected, 1 failed, 1 offered')
})

describe('the announcer', () => {
  const changed$ = new Subject<void>()
  let devices: DeviceListing[] = []
  const api = { list: () => devices, changed$, alive: () => Promise.resolve() } as unknown as DaemonApi
  const announcer = (environment: NodeJS.ProcessEnv) => new Announcer(managerIn(environment), api, clock)

  test('the status follows the disks, once a second at most', () => {
    devices = []
    const one = announcer({ NOTIFY_SOCKET: '@a' })
    one.ready()
    for (let turn = 0; turn < 50; turn++) {
      devices = [disk(turn % 2 === 0 ? 'Connected' : 'Closed')]
      changed$.next()
    }
    expect(sent).toEqual(['READY=1\nSTATUS=no disks', 'STATUS=1 disk: 1 connected'])
    clock.advance(1000)
    expect(sent.slice(2)).toEqual(['STATUS=1 disk: 1 closed'])
    clock.advance(10_000)
    expect([sent.length, clock.pending]).toEqual([3, 0])
    one.close()
    changed$.next()
    expect(sent).toHaveLength(3)
  })

  test('a status that the full queue refused is told a second later', () => {
    devices = []
    const one = announcer({ NOTIFY_SOCKET: '@a' })
    one.ready()
    full = true
    devices = [disk('InitWait')]
    changed$.next()
    full = false
    clock.advance(1000)
    expect(sent.at(-1)).toBe('STATUS=1 disk: 1 offered')
    one.close()
  })

  test('a reload that is refused is over, too, and says why', () => {
    devices = []
    const one = announcer({ NOTIFY_SOCKET: '@a' })
    expect(one.reloading(() => 5)).toBe(5)
    expect(() => one.reloading(() => { throw new Error('line 3 is none') })).toThrow('line 3')
    const usec = Math.floor(clock.nowNs() / 1000)
    expect(sent).toEqual([
      `RELOADING=1\nMONOTONIC_USEC=${usec}`, 'READY=1\nSTATUS=no disks; reloaded',
      `RELOADING=1\nMONOTONIC_USEC=${usec}`,
      'READY=1\nSTATUS=no disks; not reloaded, everything stays as it is: line 3 is none',
    ])
  })

  test('an upgrade: the manager is told whom to watch from then on, or that nothing has changed', async () => {
    devices = []
    const one = announcer({ NOTIFY_SOCKET: '@a' })
    expect(await one.upgrading(() => Promise.resolve(5))).toBe(5)
    one.handedOver(4711)
    await expect(one.upgrading(() => Promise.reject(new Error('strange charts')))).rejects.toThrow('strange')
    one.stopping('yield', [])
    const usec = Math.floor(clock.nowNs() / 1000)
    expect(sent).toEqual([
      `RELOADING=1\nMONOTONIC_USEC=${usec}`, 'MAINPID=4711\nREADY=1\nSTATUS=upgraded',
      `RELOADING=1\nMONOTONIC_USEC=${usec}`, 'READY=1\nSTATUS=no disks; not upgraded: strange charts',
    ])
  })

  test('a stop is said once, then extended while it lasts', () => {
    const one = announcer({ NOTIFY_SOCKET: '@a' })
    one.stopping('park', [])
    one.stopping('park', [{ name: 'vbd/5/51712', state: 'Parking', inFlight: 3 }])
    expect(sent).toEqual([
      'STOPPING=1\nSTATUS=parking',
      'STATUS=parking: waiting for vbd/5/51712 (Parking, 3 requests in flight)\nEXTEND_TIMEOUT_USEC=10000000',
    ])
  })

  test('without a watchdog there is no timer: an idle daemon sleeps', () => {
    const one = announcer({ NOTIFY_SOCKET: '@a' })
    one.ready()
    expect(clock.pending).toBe(0)
    one.close()
    const watched = announcer({ NOTIFY_SOCKET: '@a', WATCHDOG_USEC: '1000000' })
    watched.ready()
    expect(clock.pending).toBe(1)
    watched.close()
    expect(clock.pending).toBe(0)
  })
})
