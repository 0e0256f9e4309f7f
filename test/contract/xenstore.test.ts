/** Our own server, within the process and over a unix socket, keeps the contract. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inProcessXenStore } from '../../src/embedded/xenstored/in-process.js'
import { listenOn } from '../../src/embedded/xenstored/server.js'
import { XenStored } from '../../src/embedded/xenstored/xenstored.js'
import { connectXenStore } from '../../src/io/xenstore/client.js'
import { xenStoreContract } from './xenstore.js'

xenStoreContract('our server in this process', () => {
  const { connectAs, client, server } = inProcessXenStore()
  client.close()
  return Promise.resolve({
    connect: () => Promise.resolve(connectAs(0)),
    stop: () => Promise.resolve(server.close()),
  })
})

xenStoreContract('our server on a unix socket', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'xbbd-xenstore-'))
  const server = new XenStored()
  const listener = await listenOn(server, join(directory, 'socket'))
  return {
    connect: () => connectXenStore(listener.path),
    stop: async () => {
      await listener.close()
      rmSync(directory, { recursive: true })
    },
  }
})
