/**
 * @packageDocumentation
 * A guest whose toolstack has died: the processes of xl that watch over it are ended, and Xen is asked to destroy it
 * without libxl. Then nobody removes its directories in XenStore, and all that a back end hears is `@releaseDomain`.
 */
import type { Guest } from './guest.js'
import type { Toolbox } from './toolbox.js'

/** What libxl would have removed. */
const LEFT_BY_LIBXL = (domid: number) => [`/local/domain/${domid}`, `/libxl/${domid}`]

/** Ends the processes of xl that watch over a guest, so that nobody but Xen and XenStore knows what becomes of it. */
export async function withoutToolstack(t: Toolbox, guest: Guest): Promise<void> {
  const { stdout } = await t.sh(`pgrep -f '^xl .*/${guest.name}\\.cfg$'`)
  const pids = stdout.split('\n').filter(Boolean).map(Number)
  expect(pids).not.toEqual([])
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  t.cleanup(async () => {
    for (const path of LEFT_BY_LIBXL(guest.domid)) await t.store.remove(path)
  })
}

/** XEN_DOMCTL_destroydomain and nothing else. */
export async function destroyInXenAlone(t: Toolbox, domid: number): Promise<void> {
  const python = `import sys; sys.path.insert(0, "/usr/lib/xen-4.17/lib/python"); import xen.lowlevel.xc as xc; ` +
    `xc.xc().domain_destroy(${domid})`
  expect(await t.sh(`python3 -c '${python}'`)).toMatchObject({ status: 0 })
}
