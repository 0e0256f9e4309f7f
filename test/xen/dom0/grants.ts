/**
 * @packageDocumentation
 * What Xen itself says is mapped of a guest: the hypervisor's dump of grant tables (`xl debug-keys g`, read from
 * `xl dmesg`). A back end that leaks a mapping cannot talk its way out of that.
 *
 *   (XEN) grant-table for remote d1 (v1)
 *   (XEN) [0x008]      0 0x1c4b3 0x00000001          0 0x01a2c3 0x19
 *          gref   local  frame   pin           shared entry
 */
import { succeed } from './execute.js'

export interface ActiveGrant {
  /** The domain that granted. */
  readonly owner: number
  readonly gref: number
  /** The domain that mapped it. */
  readonly mappedBy: number
}

/** Entries that are mapped at this moment, of all domains. */
export async function activeGrants(): Promise<ActiveGrant[]> {
  await succeed('xl', ['dmesg', '-c'])
  await succeed('xl', ['debug-keys', 'g'])
  return parseGrantDump(await succeed('xl', ['dmesg']))
}

/** Grant references below this are the toolstack's: console and XenStore ring (xen/include/public/grant_table.h). */
const RESERVED_GREFS = 8

/** What dom0's back ends have mapped of a domain at this moment. */
export async function mappedOf(domid: number): Promise<ActiveGrant[]> {
  const mapped = ({ owner, gref, mappedBy }: ActiveGrant) => owner === domid && mappedBy === 0 && gref >= RESERVED_GREFS
  return (await activeGrants()).filter(mapped)
}

/** Reads the hypervisor's dump. */
export function parseGrantDump(dump: string): ActiveGrant[] {
  const found: ActiveGrant[] = []
  let owner: number | undefined
  for (const line of dump.split('\n')) {
    const table = /grant-table for remote (?:d|domain )(\d+)/.exec(line)
    if (table) owner = Number(table[1])
    const entry = /\[(?:0x)?([0-9a-f]+)\]\s+(\d+)\s+0x[0-9a-f]+\s+0x[0-9a-f]+/.exec(line)
    if (entry && owner !== undefined)
      found.push({ owner, gref: parseInt(entry[1], 16), mappedBy: Number(entry[2]) })
  }
  return found
}
