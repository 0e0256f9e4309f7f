/**
 * @packageDocumentation
 * What is said on the pocket host's socket DIR/hypervisor: one JSON object per message, a request by the client, one
 * reply by the host with the same `id`, descriptors beside it. It stands for hypercalls, so it is small:
 *
 *   a guest      createDomain ► memory, grant table      allocatePort ► hear, tell      closePort
 *   a back end   mapRing ► memory        bindChannel ► hear, tell        openGrants ► memory, grant table
 *                unmapRing               unbindChannel                   closeGrants
 *   a toolstack  domains                 destroyDomain
 *
 * A connection is domain 0's until it creates a domain, which then lives as long as the connection. All that a
 * connection holds (mappings, bound ports) is given up when it ends, however it ends.
 */

/** What a client may ask for. Grefs and frames are in the ring's order. */
export type HostRequest =
  | { readonly op: 'createDomain'; readonly name: string; readonly pages: number; readonly grantEntries: number }
  | { readonly op: 'allocatePort'; readonly remoteDomid: number }
  | { readonly op: 'closePort'; readonly port: number }
  | { readonly op: 'mapRing'; readonly domid: number; readonly grefs: readonly number[] }
  | { readonly op: 'unmapRing'; readonly mapping: number }
  | { readonly op: 'bindChannel'; readonly domid: number; readonly port: number }
  | { readonly op: 'unbindChannel'; readonly port: number }
  | { readonly op: 'openGrants'; readonly domid: number }
  | { readonly op: 'closeGrants'; readonly grants: number }
  | { readonly op: 'destroyDomain'; readonly domid: number }
  | { readonly op: 'domains' }

export interface DomainInfo {
  readonly domid: number
  readonly name: string
}

/** What the host says besides descriptors; which fields there are depends on the request. */
export interface HostAnswer {
  readonly domid?: number
  readonly port?: number
  readonly mapping?: number
  readonly grants?: number
  readonly frames?: readonly number[]
  readonly domains?: readonly DomainInfo[]
}

export interface HostRefusal {
  readonly ok: false
  readonly code: string
  readonly sentence: string
}

/** Everything can be refused; nothing is thrown for what a client asks. */
export type HostOutcome =
  | { readonly ok: true; readonly answer: HostAnswer; readonly handles: readonly number[] }
  | HostRefusal

/** A reply as it stands in a message. */
export type HostReply = { readonly id: number } & ({ readonly ok: true; readonly answer: HostAnswer } | HostRefusal)

export const refused = (code: string, sentence: string): HostRefusal => ({ ok: false, code, sentence })

export const encodeMessage = (message: object): Uint8Array => Buffer.from(JSON.stringify(message))

/** A message's object, or undefined when it is none. */
export function decodeMessage(bytes: Uint8Array): Record<string, unknown> | undefined {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    // Text that is no JSON is as good as no message; the connection's owner decides what follows.
    return undefined
  }
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

/** The names of the sockets below the host's directory. */
export const HYPERVISOR_SOCKET = 'hypervisor'
export const XENSTORE_SOCKET = 'xenstore'
export const guestXenStoreSocket = (domid: number) => `${XENSTORE_SOCKET}.${domid}`
