/**
 * @packageDocumentation
 * Long requests in front of Linux's own front end: it takes indirect descriptors as far as they are offered and its own
 * limit goes, which `/sys/block` shows, and fio verifies what they carried; in each way to a guest's pages.
 */
import type { GrantMode } from '../../../../src/ports/host.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'

const MIB = 1 << 20

interface Case {
  readonly mode: GrantMode
  readonly offered: number
  /** What Linux makes of the offer. */
  readonly taken: number
  readonly append: string
}

async function longRequests(t: Toolbox, { mode, offered, taken, append }: Case): Promise<void> {
  t.daemon.configure({ 'grants.mode': mode, 'requests.indirect-segments': String(offered) })
  await t.daemon.start()
  const image = t.image('long', 64 * MIB)
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)], append })
  // Linux's own words of what was agreed.
  const agreed = (await guest.dmesg()).split('\n').find((line) => line.includes('blkfront: xvdb'))
  expect(agreed).toMatch(mode === 'persistent' ? /persistent grants: enabled/ : /persistent grants: disabled/)
  expect(agreed).toMatch(taken > 11 ? /indirect descriptors: enabled/ : /indirect descriptors: disabled/)
  const queue = async (name: string) => Number(await guest.succeed(`cat /sys/block/xvdb/queue/${name}`))
  expect(await queue('max_segments')).toBe(taken)
  t.log(`max_segments ${taken}, max_hw_sectors_kb ${await queue('max_hw_sectors_kb')}`)
  await guest.succeed(`echo ${taken * 4} >/sys/block/xvdb/queue/max_sectors_kb`)
  const fio = [
    'fio --name=long --filename=/dev/xvdb --rw=randrw --bsrange=4k-1m --ioengine=libaio --iodepth=8 --direct=1',
    `--verify=crc32c --verify_fatal=1 --randseed=11 --size=${t.short ? 16 : 48}M`,
  ].join(' ')
  const { output, status } = await guest.run(fio, 240_000)
  expect({ status, errors: /err=\s*[1-9]/.exec(output)?.[0] }).toEqual({ status: 0, errors: undefined })
  expect(await guest.diskTrouble()).toEqual([])
  const { counters } = await t.daemon.statistics(guest.domid, 'xvdb')
  if (taken > 11) expect(counters.indirects).toBeGreaterThan(0)
  else expect(counters.indirects).toBe(0)
  expect([counters.grantErrors, counters.answeredOkay]).toEqual([0, counters.taken])
  const bytes = counters.readBytes + counters.writtenBytes
  t.log(`${counters.taken} requests, ${counters.indirects} of them indirect, ${Math.round(bytes / counters.taken / 1024)} KiB each`)
  const seen = await guest.sha256('/dev/xvdb')
  await guest.shutdown()
  expect(await t.sha256(image)).toBe(seen)
}

const LINUX_256 = 'xen_blkfront.max_indirect_segments=256 xen_blkfront.max_ring_page_order=0'
const CASES: readonly (Case & { readonly title: string })[] = [
  { title: 'as offered by default, all that Linux takes', mode: 'copy', offered: 32, taken: 32, append: '' },
  { title: 'of a mebibyte', mode: 'copy', offered: 256, taken: 256, append: LINUX_256 },
  { title: 'over pages that are mapped for each batch', mode: 'map', offered: 32, taken: 32, append: '' },
  { title: 'over pages that stay mapped', mode: 'persistent', offered: 32, taken: 32, append: '' },
  { title: 'not offered, not sent', mode: 'copy', offered: 0, taken: 11, append: '' },
]
for (const { title, ...one } of CASES)
  scenario(`indirect requests, ${title}`, { boot: 'media', timeout: 300 }, (t) => longRequests(t, one))
