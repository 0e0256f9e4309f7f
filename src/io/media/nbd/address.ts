/**
 * @packageDocumentation
 * The address of an NBD export, as the NBD project writes it (doc/uri.md), so that what works with nbdinfo and qemu-img
 * works here:
 *
 *   nbd://host[:port]/export          nbd+unix:///export?socket=/path
 *
 * The export's name may be empty. Encryption (nbds) is not spoken here: a sentence says what to do instead.
 */
import type { NbdAddress } from '../../../ports/medium.js'

/** IANA's port of NBD. */
const DEFAULT_PORT = 10809
/** The longest name that the protocol allows, bytes (doc/proto.md, "Values"). */
const NAME_BYTES_MAX = 4096
/** sun_path of Linux, with its final zero. */
const SOCKET_PATH_MAX = 108

const EXAMPLES = 'write nbd://host:10809/export or nbd+unix:///export?socket=/path/of/socket'

/** Whether somebody meant an NBD server. */
export function isNbdTarget(target: string): boolean {
  return /^nbds?(\+[a-z]+)?:/i.test(target)
}

/** @returns the address, or one sentence that says what is wrong with it and what to write. */
export function parseNbdAddress(uri: string): NbdAddress | string {
  const parts = /^(nbds?(?:\+[a-z]+)?):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(uri)
  if (parts === null || uri.includes('\0')) return `${uri} is no address of an NBD export: ${EXAMPLES}`
  const [, scheme, authority, path = '', query = ''] = parts
  const exportName = decoded(path)
  if (exportName === undefined) return `the export's name in ${uri} is not well encoded: write % as %25`
  if (new TextEncoder().encode(exportName).length > NAME_BYTES_MAX)
    return `the export's name in ${uri} is longer than ${NAME_BYTES_MAX} bytes: offer it under a shorter one`
  switch (scheme.toLowerCase()) {
    case 'nbd':
      return overTcp(uri, authority, query, exportName)
    case 'nbd+unix':
      return overUnix(uri, authority, query, exportName)
    case 'nbds':
    case 'nbds+unix':
      return `${uri} asks for TLS, which xbbd does not speak: use a unix socket, or a tunnel in front of the server`
    default:
      return `${uri} names a way to the server that is not known: ${EXAMPLES}`
  }
}

function overTcp(uri: string, authority: string, query: string, exportName: string): NbdAddress | string {
  if (query !== '') return `${uri} has a part behind "?", which nbd:// does not take: ${EXAMPLES}`
  const parts = /^(\[[0-9a-f:.%]+\]|[^:@[\]]+)(?::(\d{1,5}))?$/i.exec(authority)
  if (parts === null) return `${uri} names no host that can be read: ${EXAMPLES}`
  const port = Number(parts[2] ?? DEFAULT_PORT)
  if (port < 1 || port > 65535) return `${uri} has a port that does not exist: give one from 1 to 65535`
  return { uri, exportName, at: { host: parts[1].replace(/^\[|\]$/g, ''), port } }
}

function overUnix(uri: string, authority: string, query: string, exportName: string): NbdAddress | string {
  const socket = /^socket=([^&]+)$/.exec(query)
  const path = socket === null ? undefined : decoded(socket[1])
  if (authority !== '' || path === undefined)
    return `${uri} does not say where the socket is: write nbd+unix:///export?socket=/path/of/socket`
  if (!path.startsWith('/')) return `the socket ${path} is no absolute path: begin it with /`
  if (new TextEncoder().encode(path).length >= SOCKET_PATH_MAX)
    return `the socket ${path} has a name of more than ${SOCKET_PATH_MAX - 1} bytes: put it into a shorter folder`
  return { uri, exportName, at: { path } }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
