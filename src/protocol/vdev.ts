/**
 * @packageDocumentation
 * Virtual device numbers: how a disk's name in the guest and the number in its XenStore path belong together
 * (docs/man/xen-vbd-interface.7). The number is what both ends agree on; what the guest calls the disk is its affair.
 *
 *   1 << 28 | disk << 8 | partition     xvd and dNpM, when disk > 15 or partition > 15
 *   202 << 8 | disk << 4 | partition    xvd and dNpM otherwise
 *     8 << 8 | disk << 4 | partition    sd, 16 disks of 15 partitions
 *     3 << 8 | disk << 6 | partition    hda, hdb;  22 << 8 for hdc, hdd; 63 partitions
 *
 * Numbers from 2 << 28 on are reserved and refused.
 */
import { shown, type Parsed } from './parse.js'

const RESERVED = 2 << 28
const EXTENDED = 1 << 28

/** 'a' is 0, 'z' 25, 'aa' 26. */
function diskOfLetters(letters: string): number {
  let disk = 0
  for (const letter of letters) disk = disk * 26 + letter.charCodeAt(0) - 96
  return disk - 1
}

function lettersOfDisk(disk: number): string {
  let letters = ''
  for (let rest = disk + 1; rest > 0; rest = Math.floor((rest - 1) / 26))
    letters = String.fromCharCode(97 + ((rest - 1) % 26)) + letters
  return letters
}

function encode(family: string, disk: number, partition: number): number | undefined {
  if (family === 'sd') return disk < 16 && partition < 16 ? (8 << 8) | (disk << 4) | partition : undefined
  if (family === 'hd') {
    if (disk > 3 || partition > 63) return undefined
    return ((disk < 2 ? 3 : 22) << 8) | ((disk & 1) << 6) | partition
  }
  if (disk < 16 && partition < 16) return (202 << 8) | (disk << 4) | partition
  return disk < 2 ** 20 && partition < 256 ? EXTENDED | (disk << 8) | partition : undefined
}

/** The number of `xvdb`, `xvda1`, `d3p2`, `sda1`, `hdc`, or of a number itself: `51728`, `0xca10`. */
export function parseVdev(text: string): Parsed<number> {
  const bad = (why: string): Parsed<number> => ({ ok: false, sentence: `${shown(text)} is no virtual device: ${why}` })
  if (/^(\d{1,10}|0x[0-9a-f]{1,8})$/i.test(text)) {
    const vdev = Number(text)
    return vdev < RESERVED ? { ok: true, value: vdev } : bad(`numbers from ${RESERVED} on are reserved`)
  }
  const named = /^(xvd|sd|hd)([a-z]{1,5})(\d{0,3})$/.exec(text)
  const plain = /^d(\d{1,7})(?:p(\d{1,3}))?$/.exec(text)
  if (!named && !plain) return bad('use a name like xvdb, xvda1, sda, hdc, d1p2, or a number')
  const disk = named ? diskOfLetters(named[2]) : Number(plain?.[1])
  const vdev = encode(named?.[1] ?? 'xvd', disk, Number((named ? named[3] : plain?.[2]) || 0))
  return vdev === undefined ? bad('disk or partition is beyond what its kind can number') : { ok: true, value: vdev }
}

/** The usual name of a number, or undefined when it has none. */
export function vdevName(vdev: number): string | undefined {
  const name = (family: string, disk: number, partition: number) =>
    `${family}${lettersOfDisk(disk)}${partition === 0 ? '' : partition}`
  if (vdev >= EXTENDED && vdev < RESERVED) return name('xvd', (vdev - EXTENDED) >>> 8, vdev & 0xff)
  const minor = vdev & 0xff
  switch (vdev >>> 8) {
    case 202:
      return name('xvd', minor >>> 4, minor & 15)
    case 8:
      return name('sd', minor >>> 4, minor & 15)
    case 3:
    case 22:
      return minor < 128 ? name('hd', (minor >>> 6) + (vdev >>> 8 === 22 ? 2 : 0), minor & 63) : undefined
    default:
      return undefined
  }
}
