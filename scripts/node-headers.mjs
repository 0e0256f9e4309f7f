/**
 * Where the headers of the running Node are: beside it, where its own archive and most distributions put them, or where
 * Debian does. Scripts that build native code ask here.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const HEADERS_MISSING =
  `the headers of Node ${process.version} are missing (no include/node/node_api.h beside ${process.execPath}): ` +
  'install the package libnode-dev (Debian), nodejs-devel (Fedora), or Node from its own archive, which brings them'

/** The directory that node-gyp calls nodedir: it holds include/node/node_api.h. Undefined when there is none. */
export function headersDirectory() {
  const candidates = [dirname(dirname(process.execPath)), '/usr', '/usr/local']
  return candidates.find((dir) => existsSync(join(dir, 'include/node/node_api.h')))
}
