/** The real xenstored keeps the contract of XenStore, over its socket and over the kernel's device. */
import { connectXenStore, XenStoreClient } from '../../../src/io/xenstore/client.js'
import { openStream } from '../../../src/io/native/stream.js'
import { owned } from '../../../src/io/native/owners.js'
import { encodeMessage, WireDecoder, XS } from '../../../src/io/xenstore/wire.js'
import { deviceTransport, openXenbusDevice, XENBUS_DEVICE } from '../../../src/io/xenstore/xenbus-device.js'
import { xenStoreContract, type NewDomain } from '../../contract/xenstore.js'
import { Guest } from '../dom0/guest.js'

const SOCKET = '/run/xenstored/socket'
let domains = 0

/** A guest that never ran: XenStore knows it as any other. */
async function newDomain(): Promise<NewDomain> {
  const store = await connectXenStore(SOCKET)
  const guest = await Guest.start(store, `paused-${++domains}`, { paused: true })
  return {
    domid: guest.domid,
    async end() {
      await guest.destroy()
      store.close()
    },
  }
}

const stop = () => Promise.resolve()

xenStoreContract("dom0's xenstored, over its socket", () =>
  Promise.resolve({ connect: () => connectXenStore(SOCKET), newDomain, stop }))

xenStoreContract("dom0's xenstored, over /dev/xen/xenbus", () => {
  const before = owned().length
  return Promise.resolve({
    connect: () => Promise.resolve(new XenStoreClient(openXenbusDevice())),
    payloadMax: 4080,
    newDomain,
    stop() {
      expect(owned().length).toBe(before)
      return Promise.resolve()
    },
  })
})

/** Messages past the client, which would not send such. */
async function replyTo(type: number, payload: string): Promise<{ type: number; reqId: number; payload: string }> {
  const transport = deviceTransport(openStream(XENBUS_DEVICE), XENBUS_DEVICE)
  const decoder = new WireDecoder()
  const ended = new Promise<never>((_, reject) => transport.onClose((reason) => reject(reason ?? new Error('closed'))))
  const reply = new Promise<{ type: number; reqId: number; payload: string }>((resolve) =>
    transport.onBytes((chunk) => {
      for (const message of decoder.push(chunk).messages) resolve({ ...message, payload: String(message.payload) })
    }),
  )
  transport.write(encodeMessage(type, 77, 0, Buffer.from(payload)))
  const got = await Promise.race([reply, ended])
  ended.catch(() => undefined)
  transport.close()
  return got
}

test('a node cannot be given to a domain that does not exist: ENOENT, and it is as it was', async () => {
  const store = await connectXenStore(SOCKET)
  await store.write('/contract/owned', '1')
  const before = await store.getPermissions('/contract/owned')
  const given = store.setPermissions('/contract/owned', [{ access: 'n', domid: 0x6fff }])
  await expect(given).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await store.getPermissions('/contract/owned')).toEqual(before)
  await store.remove('/contract')
  store.close()
})

test('what the kernel refuses by failing a write is a reply like any other', async () => {
  const refused = { type: XS.ERROR, reqId: 77, payload: 'EINVAL\0' }
  expect(await replyTo(XS.WATCH, '/not a path\0token\0')).toMatchObject(refused)
  expect(await replyTo(XS.READ, 'x'.repeat(4081))).toMatchObject(refused)
  expect(await replyTo(XS.READ, '/not a path\0')).toMatchObject(refused)
  expect(await replyTo(XS.READ, '/local\0')).toMatchObject({ type: XS.READ, reqId: 77, payload: '' })
})
