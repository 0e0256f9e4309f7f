/**
 * @packageDocumentation
 * A block device of dom0 that does as it is told: null_blk, which keeps bytes in memory, and learns in configfs which of
 * its sectors are bad, and whether it is there at all. It belongs to the daemon, as a udev rule of its host would have it.
 */
import { chmodSync } from 'node:fs'
import { giveToDaemon } from './privileges.js'
import type { Toolbox } from './toolbox.js'

const SECTORS_PER_MIB = (1 << 20) / 512
/** BB_MAX_LEN (linux/badblocks.h). */
const ENTRY_SECTORS = 512
const CONFIG = '/sys/kernel/config'

/** A null_blk device of 64 MiB with a memory. */
export class NullBlk {
  readonly path: string
  readonly #t: Toolbox
  readonly #directory: string

  private constructor(t: Toolbox, name: string) {
    this.path = `/dev/${name}`
    this.#t = t
    this.#directory = `${CONFIG}/nullb/${name}`
  }

  static async make(t: Toolbox, name: string): Promise<NullBlk> {
    const device = new NullBlk(t, name)
    await device.#must(`modprobe null_blk nr_devices=0; mountpoint -q ${CONFIG} || mount -t configfs none ${CONFIG}`)
    await device.#must(`mkdir ${device.#directory}`)
    t.cleanup(() => t.sh(`echo 0 >${device.#directory}/power; rmdir ${device.#directory}`))
    for (const [key, value] of [['size', 64], ['memory_backed', 1], ['discard', 1]]) await device.set(`${key}`, `${value}`)
    await device.power(true)
    return device
  }

  async power(on: boolean): Promise<void> {
    await this.set('power', on ? '1' : '0')
    if (!on) return
    await this.#t.until(`${this.path} is there`, async () => (await this.#t.sh(`test -b ${this.path}`)).status === 0)
    giveToDaemon(this.path)
    chmodSync(this.path, 0o600)
  }

  /**
   * Makes sectors bad (`+`) or good again (`-`): `count` MiB from `mib` on. In pieces of what one entry of the kernel's
   * list can hold: from a longer one Linux 6.1 makes entries that are not in order, and then does not find them.
   */
  async badMiB(sign: '+' | '-', mib: number, count = 1): Promise<void> {
    const [from, to] = [mib * SECTORS_PER_MIB, (mib + count) * SECTORS_PER_MIB]
    const piece = `${sign}$at-$((at + ${ENTRY_SECTORS - 1}))`
    await this.#must(`for at in $(seq ${from} ${ENTRY_SECTORS} ${to - 1}); do echo ${piece} >${this.#directory}/badblocks || exit; done`)
  }

  async set(key: string, value: string): Promise<void> {
    await this.#must(`echo ${value} >${this.#directory}/${key}`)
  }

  async #must(command: string): Promise<void> {
    const { status, stderr } = await this.#t.sh(command)
    if (status !== 0) throw new Error(`\`${command}\` ended with ${status}: ${stderr}`)
  }
}
