/**
 * @packageDocumentation
 * What `xl block-attach` does, for the embedded world: both directories of a disk, with the rights that libxl gives
 * them, in one transaction; and its end.
 *
 *   /local/domain/0/backend/vbd/N/DEVID     owned by 0, readable by N   frontend, frontend-id, params, mode, online …
 *   /local/domain/N/device/vbd/DEVID        owned by N, readable by 0   backend, backend-id, virtual-device …
 *
 * Detaching is asking: `online` 0 and state Closing, to which the back end answers by closing; who waits for Closed
 * removes the directories then.
 */
import type { XenStoreOps, XenStore } from '../ports/xenstore.js'

/** A disk to attach. `devid` is libxl's number: 51712 is xvda. */
export interface VbdSpec {
  readonly domid: number
  readonly devid: number
  /** The medium, as the daemon's MediumSpec `target`. */
  readonly params: string
  /** 'w' or 'r'; default 'w'. */
  readonly mode?: 'r' | 'w'
  /** `vdev` for people; default xvda. */
  readonly dev?: string
  /** Default vbd. */
  readonly type?: string
  /** Further keys of the back end's directory. */
  readonly extra?: Readonly<Record<string, string>>
}

export const vbdBackendPath = ({ domid, devid, type = 'vbd' }: Pick<VbdSpec, 'domid' | 'devid' | 'type'>) =>
  `/local/domain/0/backend/${type}/${domid}/${devid}`
export const vbdFrontendPath = ({ domid, devid }: Pick<VbdSpec, 'domid' | 'devid'>) =>
  `/local/domain/${domid}/device/vbd/${devid}`

async function writeAll(
  ops: XenStoreOps, directory: string, keys: Readonly<Record<string, string>>, owner: number, reader: number,
): Promise<void> {
  const rights = [{ access: 'n', domid: owner }, { access: 'r', domid: reader }] as const
  await ops.mkdir(directory)
  await ops.setPermissions(directory, rights)
  for (const [key, value] of Object.entries(keys)) {
    await ops.write(`${directory}/${key}`, value)
    await ops.setPermissions(`${directory}/${key}`, rights)
  }
}

/** Writes both directories; the back end begins when it sees them. `store` has the rights of domain 0. */
export async function attachVbd(store: XenStore, spec: VbdSpec): Promise<{ backend: string; frontend: string }> {
  const backend = vbdBackendPath(spec)
  const frontend = vbdFrontendPath(spec)
  const { domid, devid, params, mode = 'w', dev = 'xvda', type = 'vbd' } = spec
  await store.transaction(async (ops) => {
    await writeAll(ops, frontend, {
      backend, 'backend-id': '0', 'virtual-device': String(devid), 'device-type': 'disk', handle: String(devid),
      state: '1',
    }, domid, 0)
    await writeAll(ops, backend, {
      frontend, 'frontend-id': String(domid), online: '1', removable: '0', bootable: '1', dev, type,
      mode, 'device-type': 'disk', params, 'discard-enable': '1', ...spec.extra, state: '1',
    }, 0, domid)
  })
  return { backend, frontend }
}

/** Asks the back end to close for good. The disk is closed when its state is 6 or its directory is gone. */
export async function askToDetachVbd(store: XenStore, spec: Pick<VbdSpec, 'domid' | 'devid' | 'type'>): Promise<void> {
  const backend = vbdBackendPath(spec)
  await store.transaction(async (ops) => {
    if ((await ops.read(`${backend}/state`)) === undefined) return
    await ops.write(`${backend}/online`, '0')
    await ops.write(`${backend}/state`, '5')
  })
}

/** Removes both directories. */
export async function removeVbd(store: XenStore, spec: Pick<VbdSpec, 'domid' | 'devid' | 'type'>): Promise<void> {
  await store.remove(vbdBackendPath(spec))
  await store.remove(vbdFrontendPath(spec))
}
