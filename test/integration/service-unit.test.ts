/**
 * packaging/ as its readers see it: systemd's own judges over the unit, systemd-sysusers over the user, and the udev
 * rules beside them, which must open the very devices that the unit allows.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { testWith } from '../support/clients.js'

const packaging = join(packageRoot(), 'packaging')
const unit = readFileSync(join(packaging, 'xbbd.service'), 'utf8')
const root = mkdtempSync(join(tmpdir(), 'xbbd-unit-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

function write(path: string, content: string): string {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

/** All values of a directive, in order. */
const values = (name: string, text = unit) => [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value)

const SYSTEM = '/usr/lib/systemd/system'

/** What `systemd-analyze verify` says of a unit that is installed as a package would; it warns with status 0. */
function verify(text: string): string {
  for (const path of ['usr/bin/xbbd', 'bin/kill']) chmodSync(write(path, '#!/bin/sh\n'), 0o755)
  for (const name of readdirSync(SYSTEM).filter((file) => file.endsWith('.target')))
    write(join(SYSTEM, name), readFileSync(join(SYSTEM, name), 'utf8'))
  write(join(SYSTEM, 'xbbd.service'), text)
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', `--root=${root}`, 'xbbd.service'])
  return `${status} ${String(stderr)}`
}

/** Ten times the exposure that a unit may have: 0 is none, 100 all. */
const EXPOSURE_MAX = 6

function security(text: string): { status: number | null; level: number } {
  const file = write('judged/xbbd.service', text)
  const args = ['security', '--offline=true', '--no-pager', `--threshold=${EXPOSURE_MAX}`, file]
  const { status, stdout } = spawnSync('systemd-analyze', args)
  return { status, level: Number(/exposure level for xbbd.service: ([\d.]+)/.exec(String(stdout))?.[1]) }
}

testWith(['systemd-analyze'], 'systemd has nothing to say to the unit, and sees what is planted in it', () => {
  expect(verify(unit)).toBe('0 ')
  expect(verify(unit.replace('ProtectSystem=', 'ProtectSystm='))).toMatch(/Unknown key 'ProtectSystm'/)
  expect(verify(unit.replace('=@system-service', '=@system-servise'))).toMatch(/Unknown system call group/)
  expect(verify(unit.replace('WatchdogSec=30', 'WatchdogSec=often'))).toMatch(/Failed to parse sec value/)
  expect(verify(unit.replace('/usr/bin/xbbd run', '/usr/bin/xbdd run'))).toMatch(/xbdd is not executable/)
  return Promise.resolve()
})

testWith(['systemd-analyze'], 'its exposure stays below the bound, and a hole lifts it above', () => {
  expect(security(unit)).toMatchObject({ status: 0 })
  for (const [hole, instead] of [['CapabilityBoundingSet=', 'CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SYS_PTRACE'],
    ['SystemCallFilter=@system-service', 'SystemCallFilter=@system-service @mount @raw-io @debug @module'],
    ['ProtectSystem=strict', 'ProtectSystem=no']]) {
    const holed = security(unit.replace(hole, instead))
    expect(holed.status).not.toBe(0)
    expect(holed.level * 10).toBeGreaterThan(EXPOSURE_MAX)
  }
  return Promise.resolve()
})

test('what the daemon needs is not hardened away', () => {
  expect(values('Type')).toEqual(['notify'])
  expect(values('MemoryDenyWriteExecute')).toEqual(['no'])
  expect(values('PrivateDevices')).toEqual(['no'])
  expect(values('ProcSubset')).toEqual([]) // the boot's id, which journals carry, is no process's file
  expect(values('RuntimeDirectoryPreserve')).toEqual(['yes'])
  expect([values('CapabilityBoundingSet'), values('NoNewPrivileges')]).toEqual([[''], ['yes']])
  expect(values('ExecStart')).toEqual(['/usr/bin/xbbd run'])
  const [shebang] = readFileSync(join(packageRoot(), 'dist/src/cli/main.js'), 'utf8').split('\n')
  expect(shebang).toBe('#!/usr/bin/env -S node --no-memory-reducer')
})

test('a stop may take park.timeout before systemd ends it', () => {
  const [stop] = values('TimeoutStopSec').map(Number)
  const example = readFileSync(join(packaging, 'xbbd.conf.example'), 'utf8')
  const [, park] = /^#park\.timeout = (\d+)m$/m.exec(example) ?? []
  expect(stop).toBeGreaterThan(Number(park) * 60 + 5)
})

test('udev gives the group the devices that the unit allows, and no others', () => {
  const rules = readFileSync(join(packaging, '60-xbbd.rules'), 'utf8').split('\n').filter((line) => /^[^#]/.test(line))
  const opened = rules.map((rule) => /^KERNEL=="([\w/]+)", GROUP="xbbd", MODE="0660"$/.exec(rule)?.[1])
  const allowed = values('DeviceAllow').map((value) => /^\/dev\/(\S+) rw$/.exec(value)?.[1])
  expect(opened).toEqual(['xen/gntdev', 'xen/evtchn', 'xen/xenbus'])
  expect(allowed).toEqual(opened)
  expect(values('Group')).toEqual(['xbbd'])
})

testWith(['systemd-sysusers'], 'the user that the unit names is made', () => {
  write('etc/passwd', 'root:x:0:0::/root:/bin/sh\n')
  const { status, stderr } = spawnSync('systemd-sysusers', [`--root=${root}`, join(packaging, 'xbbd.sysusers')])
  expect([status, String(stderr)]).toEqual([0, expect.stringMatching(/Creating user 'xbbd'/)])
  const [, uid, gid, home, shell] =
    /^xbbd:[^:]*:(\d+):(\d+):[^:]*:([^:]*):(.*)$/m.exec(readFileSync(join(root, 'etc/passwd'), 'utf8')) ?? []
  expect([Number(uid) > 0, home, shell]).toEqual([true, '/var/lib/xbbd', '/usr/sbin/nologin'])
  expect(readFileSync(join(root, 'etc/group'), 'utf8')).toContain(`xbbd:x:${gid}:`)
  expect(values('User')).toEqual(['xbbd'])
  return Promise.resolve()
})
