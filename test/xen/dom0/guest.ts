/**
 * @packageDocumentation
 * A PV guest: created by xl from a configuration written here, then talked to over its console. Its kernel and initramfs
 * are the rig's (busybox, mkfs.ext4, e2fsck, blkdiscard, with `fio` also fio); a guest booted from its own disk through
 * GRUB ends at the same agent.
 *
 *   start ─► (paused) ─► ready ─► run, run … ─► shutdown │ destroy ─► gone
 */
import { closeSync, constants, copyFileSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import type { XenStore } from '../../../src/ports/xenstore.js'
import { execute, pause, succeed, until } from './execute.js'
import { GuestConsole, type Answer } from './guest-console.js'

export interface GuestOptions {
  /** Disks as xl.cfg writes them: `format=raw,vdev=xvdb,access=rw,script=block-xbbd,target=/tmp/a`. */
  readonly disks?: readonly string[]
  readonly vcpus?: number
  /** MiB; default 256, with fio 384. */
  readonly mem?: number
  readonly fio?: boolean
  /** More for the kernel's command line: `xen_blkfront.max_ring_page_order=4`. */
  readonly append?: string
  /** Another kernel than the rig's Linux, such as `GRUB`, which finds /boot/grub/grub.cfg on the disk. */
  readonly kernel?: string
  /** Left paused: no XenStore key of a disk is read by the guest before `unpause`. */
  readonly paused?: boolean
  /** The agent does not load xen-blkfront: `modprobe xen-blkfront` in the guest is the scenario's. */
  readonly lateBlkfront?: boolean
}

export const LINUX = '/rig/vmlinux'
export const GRUB = '/usr/lib/grub-xen/grub-x86_64-xen.bin'

const BOOT_TIMEOUT_MS = 90_000

/** Kernel messages that say that a disk failed its guest. */
const DISK_TROUBLE = /I\/O error|blk_update_request|EXT4-fs (error|warning)|Buffer I\/O|disabled for further use|hung_task|blocked for more than|lost (sync )?page write|Remounting/i

/** A job that runs beside others in a guest. */
export interface Job {
  /** Its output and status when it has ended already. */
  ended(): Promise<Answer | undefined>
  /** Resolves with its output and status when it has ended. */
  wait(timeoutMs?: number): Promise<Answer>
}

export class Guest {
  readonly name: string
  readonly domid: number
  readonly console: GuestConsole
  readonly #stream: ReadStream
  #jobs = 0

  private constructor(name: string, domid: number, console: GuestConsole, stream: ReadStream) {
    this.name = name
    this.domid = domid
    this.console = console
    this.#stream = stream
  }

  /** Creates the domain and opens its console. Does not wait for the agent: see `ready`. */
  static async start(store: XenStore, name: string, options: GuestOptions = {}): Promise<Guest> {
    const config = `/tmp/${name}.cfg`
    writeFileSync(config, configuration(name, options))
    const args = ['-f', 'create', '-q', ...(options.paused ? ['-p'] : []), config]
    await succeed('xl', args, 120_000)
    const domid = Number(await succeed('xl', ['domid', name]))
    const tty = await until(`the console of ${name} is there`, () => store.read(`/local/domain/${domid}/console/tty`))
    const fd = openSync(tty, constants.O_RDWR | constants.O_NOCTTY)
    const stream = new ReadStream(fd)
    // tty.ReadStream only reads; a few bytes at a time into a pty that xenconsoled empties do not block.
    const writer = openSync(tty, constants.O_WRONLY | constants.O_NOCTTY)
    const console = new GuestConsole((text) => writeFileSync(writer, text))
    stream.setEncoding('utf8').on('data', (text) => console.receive(String(text)))
    stream.on('error', () => stream.destroy())
    stream.on('close', () => {
      closeSync(writer)
      console.end(new Error(`the guest ${name} has ended`))
    })
    return new Guest(name, domid, console, stream)
  }

  /** Resolves when commands can be run. Rejects with the guest's last words when it does not come up. */
  async ready(timeoutMs = BOOT_TIMEOUT_MS): Promise<this> {
    await this.#bounded('is not ready', this.console.whenReady(), timeoutMs)
    return this
  }

  /** Runs a shell command in the guest, one at a time; whatever its status is. */
  run(command: string, timeoutMs = 60_000): Promise<Answer> {
    return this.#bounded(`has not finished \`${command}\``, this.console.run(command), timeoutMs)
  }

  /** Runs a shell command that must succeed. @returns its output. */
  async succeed(command: string, timeoutMs?: number): Promise<string> {
    const { output, status } = await this.run(command, timeoutMs)
    if (status !== 0) throw new Error(`\`${command}\` in ${this.name} ended with ${status}: ${output.trim()}`)
    return output
  }

  /** Starts a shell command beside others. */
  async job(command: string): Promise<Job> {
    const base = `/tmp/job-${++this.#jobs}`
    const script = Buffer.from(command).toString('base64')
    await this.succeed(
      `echo ${script} | base64 -d >${base}; (sh ${base} >${base}.out 2>&1; echo $? >${base}.st; mv ${base}.st ${base}.status) &`,
    )
    const ended = async () => {
      const { output, status } = await this.run(`cat ${base}.status`)
      return status === 0 ? { output: await this.succeed(`cat ${base}.out`), status: Number(output) } : undefined
    }
    const wait = (timeoutMs = 120_000) => until(`\`${command}\` ended in ${this.name}`, ended, timeoutMs, 500)
    return { ended, wait }
  }

  dmesg(): Promise<string> {
    return this.succeed('dmesg')
  }

  /** What the guest's kernel has said beyond `before`, an earlier `dmesg`; emulated clocks are not believed, and no news. */
  async saidSince(before: string): Promise<string[]> {
    const lines = (await this.dmesg()).slice(before.length).split('\n')
    return lines.filter((line) => line !== '' && !/\b(clocksource|tsc)\b/i.test(line))
  }

  /** Lines of the guest's kernel that complain about a disk. */
  async diskTrouble(): Promise<string[]> {
    return (await this.dmesg()).split('\n').filter((line) => DISK_TROUBLE.test(line))
  }

  /** SHA-256 of a block device or file as the guest reads it, past its page cache. */
  async sha256(path: string, timeoutMs = 120_000): Promise<string> {
    const read = `echo 3 >/proc/sys/vm/drop_caches; dd if=${path} bs=1M 2>/dev/null | sha256sum`
    return (await this.succeed(read, timeoutMs)).slice(0, 64)
  }

  async unpause(): Promise<void> {
    await succeed('xl', ['unpause', this.name])
  }

  /** Powers off from within and waits until the domain is gone. */
  async shutdown(timeoutMs = 60_000): Promise<void> {
    const ended = this.console.run('poweroff -f').catch(() => undefined)
    await this.waitGone(timeoutMs)
    await ended
  }

  /** `xl destroy`: the plug is pulled. */
  async destroy(): Promise<void> {
    await execute('xl', ['destroy', String(this.domid)], 60_000)
    await this.waitGone()
  }

  /** Resolves when Xen has no trace of the domain; a zombie is a trace. */
  async waitGone(timeoutMs = 30_000): Promise<void> {
    await until(`domain ${this.domid} (${this.name}) is gone`, async () => !(await this.exists()), timeoutMs, 250)
    this.forget()
    await pause(0)
  }

  /** Lets go of the console. For who destroyed the guest by other means, or keeps a zombie on purpose. */
  forget(): void {
    this.#stream.destroy()
  }

  async exists(): Promise<boolean> {
    const list = await succeed('xl', ['list'])
    return list.split('\n').some((line) => Number(/^\S+\s+(\d+)/.exec(line)?.[1]) === this.domid)
  }

  async #bounded<T>(what: string, work: Promise<T>, timeoutMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const words = this.console.words.slice(-1500)
        reject(new Error(`the guest ${this.name} ${what} within ${timeoutMs / 1000} s; its console: ${words}`))
      }, timeoutMs)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

function configuration(name: string, options: GuestOptions): string {
  const kernel = options.kernel ?? LINUX
  const append = `console=hvc0 quiet mitigations=off nokaslr ${options.lateBlkfront ? 'rig.late-blkfront ' : ''}`
  const lines = [
    `name='${name}'`,
    `type='pv'`,
    `kernel='${kernel}'`,
    ...(kernel === LINUX ? [`ramdisk='${initramfs(options.fio ?? false)}'`] : []),
    `extra='${append}${options.append ?? ''}'`,
    `memory=${options.mem ?? (options.fio ? 384 : 256)}`,
    `vcpus=${options.vcpus ?? 1}`,
    `tsc_mode='native'`,
    // dom0 is pinned to processor 0; sharing it makes every wake-up slow.
    `cpus='all,^0'`,
    `on_crash='destroy'`,
    `on_reboot='destroy'`,
    `disk=[${(options.disks ?? []).map((disk) => `'${disk}'`).join(',')}]`,
  ]
  return `${lines.join('\n')}\n`
}

let withFio: string | undefined

/** The initramfs of a guest; the one with fio is made once. */
export function initramfs(fio: boolean): string {
  if (!fio) return '/rig/domu.cpio'
  if (withFio === undefined) {
    withFio = '/run/domu-fio.cpio'
    copyFileSync('/rig/domu.cpio', withFio)
    writeFileSync(withFio, readFileSync('/rig/fio.cpio'), { flag: 'a' })
  }
  return withFio
}

/** Rejects when Xen knows of a domain that is dying but still held by somebody's mappings. */
export async function noZombies(): Promise<void> {
  const zombies = (await succeed('xl', ['list'])).split('\n').filter((line) => line.startsWith('(null)'))
  if (zombies.length > 0) throw new Error(`a zombie is left: ${zombies.join(', ')}`)
}
