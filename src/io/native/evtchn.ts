/**
 * @packageDocumentation
 * Event channels on real Xen, over /dev/xen/evtchn (native/evtchn.cc). One descriptor per channel, restricted to its
 * guest before anything is bound: what a Worker can reach through it is that guest and no other.
 *
 *   openEvtchn(domid) ─► bindInterdomain(remote port) ─► local port ─► Poller (mode `evtchn`), notifyEvtchn
 *
 * Closing the descriptor unbinds its port; the guest's end then waits, reserved for this domain, and can be bound anew.
 */
import { loadAddon } from './load.js'

interface EvtchnAddon {
  evtchnOpen(domid: number): number
  evtchnBind(handle: number, domid: number, remotePort: number): number
  evtchnUnbind(handle: number, port: number): void
  evtchnNotify(handle: number, port: number): void
  evtchnTake(handle: number): number
}

const addon = loadAddon<EvtchnAddon>()

/** A descriptor's handle, good for channels of domain `domid` only. Throws ENOENT, EACCES. */
export const openEvtchn = (domid: number): number => addon.evtchnOpen(domid)

/**
 * Binds the guest's port `remotePort`; the new local port is pending at once. @returns it.
 * Throws EINVAL (not offered to this domain, or bound by somebody), ESRCH (no such domain), EACCES (another domain).
 */
export const bindInterdomain = (handle: number, domid: number, remotePort: number): number =>
  addon.evtchnBind(handle, domid, remotePort)

/** Gives the guest's port back. Throws ENOTCONN when it is not bound here. */
export const unbindEvtchn = (handle: number, port: number): void => addon.evtchnUnbind(handle, port)

/** Notifies the guest. Throws ENOTCONN when the port is not bound here; never for what the guest did. */
export const notifyEvtchn = (handle: number, port: number): void => addon.evtchnNotify(handle, port)

/** The port of one event that waits, taken and unmasked; 0 when there is none. For who does not poll. */
export const takeEvent = (handle: number): number => addon.evtchnTake(handle)
