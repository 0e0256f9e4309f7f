/**
 * @packageDocumentation
 * Looks at this machine for `xbbd doctor`. It only reads, and tries what costs nothing: it opens one io_uring, and asks
 * XenStore one question as the daemon would. What cannot be read is unknown, never an error.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { release, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { uringRefusal } from '../../io/media/choose-engine.js'
import { sentenceOf } from '../../protocol/errors.js'
import { controlSocketOf } from '../config/cross-check.js'
import { DEFAULT_FILE, loadSettings, readConfigFile, settingsOrThrow } from '../config/load.js'
import type { Settings } from '../config/schema.js'
import { dial } from '../control/dial.js'
import { openStore, worldOf } from '../run/outside.js'
import { HOTPLUG_SCRIPT, XEN_NODES, type Facts, type NodeRights, type Person } from './facts.js'

const SERVICE_USER = 'xbbd'
const TMPFS_MAGIC = 0x01021994
const PATIENCE_MS = 3000

/** All facts. Rejects with XbbdError only when the configuration named cannot be read. */
export async function collectFacts(configPath: string | undefined): Promise<Facts> {
  const file = readConfigFile(configPath)
  const loaded = loadSettings({ file })
  const { settings } = loaded.ok ? loaded : settingsOrThrow(loadSettings({}))
  const world = worldOf(settings)
  const person = personToJudge()
  const runDir = await runDirFacts(settings)
  return {
    person,
    self: person.uid === userInfo().uid,
    config: { path: file?.path ?? `no ${DEFAULT_FILE}: the defaults`, problems: loaded.ok ? [] : loaded.problems },
    settings,
    world,
    domain: domainOf(),
    nodes: Object.fromEntries(XEN_NODES.map((name) => [name, rightsOf(`/dev/xen/${name}`)])) as Facts['nodes'],
    modules: textOf('/proc/modules')?.split('\n').map((line) => line.split(' ')[0]),
    blkback: blkbackFacts(),
    xenstore: await xenstoreFacts(settings, world),
    uring: { refusal: uringRefusal(), disabled: numberOf('/proc/sys/kernel/io_uring_disabled') },
    limits: limitsOf(runDir.runningPid),
    runDir,
    script: rightsOf(HOTPLUG_SCRIPT),
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function numberOf(path: string): number | undefined {
  const text = textOf(path)
  return text === undefined ? undefined : Number(text)
}

function rightsOf(path: string): NodeRights | undefined {
  try {
    const { mode, uid, gid } = statSync(path)
    return { mode: mode & 0o7777, uid, gid }
  } catch {
    return undefined
  }
}

/** The service's user when root asks and it exists, else whoever asks. */
function personToJudge(): Person {
  const { username: name, uid } = userInfo()
  const own = { name, uid, gids: [...(process.getgroups?.() ?? []), process.getgid?.() ?? -1] }
  if (uid !== 0) return own
  const [, , serviceUid, serviceGid] = rowsOf('/etc/passwd').find(([user]) => user === SERVICE_USER) ?? []
  if (serviceUid === undefined) return own
  const further = rowsOf('/etc/group').filter(([, , , members]) => members?.split(',').includes(SERVICE_USER))
  const gids = [serviceGid, ...further.map(([, , gid]) => gid)].map(Number)
  return { name: SERVICE_USER, uid: Number(serviceUid), gids }
}

const rowsOf = (path: string): string[][] => (textOf(path) ?? '').split('\n').map((line) => line.split(':'))

function domainOf(): Facts['domain'] {
  if (textOf('/proc/xen/capabilities')?.includes('control_d')) return 'dom0'
  if (textOf('/sys/hypervisor/type')?.trim() !== 'xen') return 'none'
  // Without xenfs mounted: dom0's uuid is all zeroes.
  return /^[0-]+$/.test(textOf('/sys/hypervisor/uuid')?.trim() ?? '') ? 'dom0' : 'guest'
}

/** The driver that xen_blkback registers, and whether udev may load it when the first disk appears. */
function blkbackFacts(): Facts['blkback'] {
  const driver = '/sys/bus/xen-backend/drivers/vbd'
  const loaded = existsSync(driver)
  const devices = loaded ? readdirSync(driver).filter((name) => name.startsWith('vbd-')) : []
  const known = ['modules.alias', 'modules.dep'].some((name) =>
    textOf(`/lib/modules/${release()}/${name}`)?.match(/xen[-_]blkback/),
  )
  const kept = ['/etc/modprobe.d', '/run/modprobe.d', '/usr/lib/modprobe.d', '/lib/modprobe.d'].some((directory) =>
    filesOf(directory).some((text) => /^\s*(blacklist\s+xen[-_]blkback|install\s+xen[-_]blkback\s)/m.test(text)),
  )
  return { loaded, devices, loadable: known && !kept }
}

function filesOf(directory: string): string[] {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).filter((name) => name.endsWith('.conf'))
  return names.map((name) => textOf(join(directory, name)) ?? '')
}

async function xenstoreFacts(settings: Settings, world: Facts['world']): Promise<Facts['xenstore']> {
  try {
    const store = await openStore(settings, world)
    try {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_resolve, reject) => {
        const sentence = `XenStore does not answer within ${PATIENCE_MS / 1000} s: is xenstored running?`
        timer = setTimeout(() => reject(new Error(sentence)), PATIENCE_MS)
      })
      await Promise.race([store.list('/local/domain'), late]).finally(() => clearTimeout(timer))
      return { ok: true }
    } finally {
      store.close()
    }
  } catch (error) {
    return { ok: false, sentence: sentenceOf(error).replace(/; (`xbbd doctor` says|start `xbbd host).*$/, '') }
  }
}

function limitsOf(pid: number | undefined): Facts['limits'] {
  const ofDaemon = pid === undefined ? undefined : textOf(`/proc/${pid}/limits`)
  const text = ofDaemon ?? textOf('/proc/self/limits') ?? ''
  const soft = (name: string) => {
    const value = new RegExp(`^${name} +(\\S+)`, 'm').exec(text)?.[1]
    return value === undefined || value === 'unlimited' ? Infinity : Number(value)
  }
  return { ofDaemon: ofDaemon !== undefined, memlock: soft('Max locked memory'), nofile: soft('Max open files') }
}

async function runDirFacts(settings: Settings): Promise<Facts['runDir']> {
  const directory = settings['run.dir']
  let existing = directory
  while (!existsSync(existing)) existing = dirname(existing)
  const { type, bavail, bsize } = statfsSync(existing)
  const answer = await dial(controlSocketOf(settings))
  if (answer.ok) answer.socket.destroy()
  const running = answer.ok || answer.code === 'EACCES'
  return {
    rights: rightsOf(directory),
    tmpfs: type === TMPFS_MAGIC,
    free: bavail * bsize,
    segments: segmentBytes(join(directory, 'journal')),
    runningPid: running ? numberOf(join(directory, 'lock')) : undefined,
  }
}

function segmentBytes(directory: string): number {
  try {
    accessSync(directory, constants.R_OK)
    const segments = readdirSync(directory).filter((name) => /^segment-\d+\.xbj$/.test(name))
    return segments.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
  } catch {
    return 0
  }
}
