/**
 * @packageDocumentation
 * The two worlds in which a daemon can run, as far as they differ: where XenStore is, and who maps and binds. All that
 * follows (media, Workers, journals, actors) is the same for both and stands in open-world.ts.
 *
 *   xen        /dev/xen/xenbus or xenstored's socket · /dev/xen/gntdev, /dev/xen/evtchn
 *   embedded   sockets of `xbbd host`, all in one directory
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EmbeddedHostClient } from '../../embedded/host-client.js'
import { XenHost } from '../../io/xen/xen-host.js'
import { connectXenStore, XenStoreClient } from '../../io/xenstore/client.js'
import { openXenbusDevice, XENBUS_DEVICE } from '../../io/xenstore/xenbus-device.js'
import type { Host } from '../../ports/host.js'
import { XbbdError, sentenceOf } from '../../protocol/errors.js'
import { hostDirectoryOf } from '../config/cross-check.js'
import type { Settings } from '../config/schema.js'

/** XenStore and hypervisor of one world. */
export interface Outside {
  readonly world: 'xen' | 'embedded'
  readonly store: XenStoreClient
  readonly host: Host
}

/** Where Debian's xenstored listens; the older path is the same directory. */
const XENSTORED_SOCKET = '/run/xenstored/socket'
const GNTDEV = '/dev/xen/gntdev'

/** The world that the settings name; `auto` looks for Xen's devices. */
export function worldOf(settings: Pick<Settings, 'world'>): 'xen' | 'embedded' {
  if (settings.world !== 'auto') return settings.world
  return existsSync(GNTDEV) ? 'xen' : 'embedded'
}

/** Opens the outside; what was opened is closed by the `closers`. Rejects with XbbdError 69: it is not there. */
export async function openOutside(
  settings: Settings, closers: (() => void | Promise<void>)[], gone: (error: Error) => void,
): Promise<Outside> {
  const world = worldOf(settings)
  const store = await openStore(settings, world)
  closers.push(() => store.close())
  const host = world === 'xen' ? xenHost(store) : EmbeddedHostClient.connect(hostDirectoryOf(settings), () =>
    gone(new Error('the embedded host has died')),
  )
  closers.push(() => host.close())
  return { world, store, host }
}

function xenHost(store: XenStoreClient): XenHost {
  return new XenHost({ domainKnown: (domid) => store.isDomainIntroduced(domid) })
}

/** XenStore as that world has it. Rejects with XbbdError 69. */
export async function openStore(settings: Settings, world: Outside['world']): Promise<XenStoreClient> {
  const dir = hostDirectoryOf(settings)
  const path = settings['xenstore.path'] || (world === 'xen' ? '' : join(dir, 'xenstore'))
  try {
    return await (path === '' ? anyStore() : storeAt(path))
  } catch (cause) {
    const cure = world === 'xen' ? '`xbbd doctor` says what is missing' : `start \`xbbd host --dir ${dir}\``
    throw new XbbdError('XBBD_NO_XENSTORE', `${sentenceOf(cause)}; ${cure}`, { cause, exitCode: 69 })
  }
}

function storeAt(path: string): Promise<XenStoreClient> {
  const device = existsSync(path) && statSync(path).isCharacterDevice()
  return device ? Promise.resolve(new XenStoreClient(openXenbusDevice(path))) : connectXenStore(path)
}

/** The kernel's way first: it is there in dom0 and in driver domains, and open to a daemon that is not root. */
async function anyStore(): Promise<XenStoreClient> {
  try {
    return new XenStoreClient(openXenbusDevice(XENBUS_DEVICE))
  } catch (atDevice) {
    try {
      return await connectXenStore(XENSTORED_SOCKET)
    } catch (atSocket) {
      throw new Error(`${sentenceOf(atDevice)}; ${sentenceOf(atSocket)}`, { cause: atSocket })
    }
  }
}
