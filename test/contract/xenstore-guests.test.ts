/** Guests' rights, quotas and nonsense at our server; what Debian's tools cannot show, since they are domain 0. */
import { inProcessXenStore } from '../../src/embedded/xenstored/in-process.js'
import type { XenStoreClient } from '../../src/io/xenstore/client.js'
import { encodeMessage, WireDecoder, type WireMessage, XS } from '../../src/io/xenstore/wire.js'
import { XenStored } from '../../src/embedded/xenstored/xenstored.js'
import { rejection, Seen } from './xenstore.js'

/** A host with guests 1 and 2, each owning its /local/domain/N/device. */
async function hostWithGuests(quotas = {}) {
  const { client: toolstack, connectAs, server } = inProcessXenStore(0, quotas)
  for (const domid of [1, 2]) {
    const device = `/local/domain/${domid}/device`
    await toolstack.mkdir(device)
    await toolstack.setPermissions(device, [{ access: 'n', domid }])
  }
  return { toolstack, connectAs, server, one: connectAs(1), two: connectAs(2) }
}

/** Lets everything that is under way arrive. */
async function settle(...clients: XenStoreClient[]): Promise<void> {
  for (const client of clients) await client.isDomainIntroduced(0)
}

test('a guest changes what is its own and nothing else', async () => {
  const { toolstack, one, two } = await hostWithGuests()
  await one.write('device/vbd/51712/state', '3')
  expect(await toolstack.read('/local/domain/1/device/vbd/51712/state')).toBe('3')
  expect(await rejection(two.read('/local/domain/1/device/vbd/51712/state'))).toBe('EACCES')
  expect(await rejection(two.write('/local/domain/1/device/vbd/51712/state', '6'))).toBe('EACCES')
  expect(await rejection(two.remove('/local/domain/1/device'))).toBe('EACCES')
  expect(await rejection(one.write('/local/domain/1/name', 'x'))).toBe('EACCES')
  expect(await rejection(one.write('/anything', 'x'))).toBe('EACCES')
})

test('what a guest may not read it cannot tell from what does not exist', async () => {
  const { toolstack, one } = await hostWithGuests()
  await toolstack.write('/secret/a', '1')
  expect(await rejection(one.read('/secret/a'))).toBe('EACCES')
  expect(await rejection(one.read('/secret/never'))).toBe('EACCES')
  expect(await one.read('device/never')).toBeUndefined()
})

test('entries of the permissions are for the domain they name, the first for everyone else', async () => {
  const { toolstack, one, two } = await hostWithGuests()
  await toolstack.write('/shared', 'x')
  const entries = { 'r0 w1': ['r0', 'w1'], 'b0 n1': ['b0', 'n1'], 'w0 r1': ['w0', 'r1'] }
  const rights: Record<string, unknown> = {}
  for (const [name, [all, first]] of Object.entries(entries)) {
    await toolstack.setPermissions('/shared', [
      { access: all[0] as 'r', domid: 0 },
      { access: first[0] as 'r', domid: 1 },
    ])
    const tries = [one, two].flatMap((guest) => [guest.read('/shared'), guest.write('/shared', 'y')])
    rights[name] = await Promise.all(tries.map(rejection))
  }
  expect(rights).toEqual({
    'r0 w1': ['EACCES', 'none', 'none', 'EACCES'],
    'b0 n1': ['EACCES', 'EACCES', 'none', 'none'],
    'w0 r1': ['none', 'EACCES', 'EACCES', 'none'],
  })
})

test('what a guest creates is its own; it may share it and not give it away', async () => {
  const { one, two, toolstack } = await hostWithGuests()
  await toolstack.setPermissions('/local/domain/1/device', [
    { access: 'b', domid: 1 },
    { access: 'b', domid: 2 },
  ])
  await two.write('/local/domain/1/device/mine', '2')
  expect((await two.getPermissions('/local/domain/1/device/mine'))[0].domid).toBe(2)
  expect(await rejection(one.setPermissions('/local/domain/1/device/mine', [{ access: 'b', domid: 1 }]))).toBe('EACCES')
  const given = two.setPermissions('/local/domain/1/device/mine', [{ access: 'b', domid: 1 }])
  expect(await rejection(given)).toBe('EPERM')
  await two.setPermissions('/local/domain/1/device/mine', [{ access: 'r', domid: 2 }])
  expect(await one.read('/local/domain/1/device/mine')).toBe('2')
})

test('a guest’s watch is told of what it may read only, in the words it used', async () => {
  const { toolstack, one } = await hostWithGuests()
  const [relative, root] = [new Seen(), new Seen()]
  await one.watch('device', relative.changed)
  await one.watch('/', root.changed)
  await settle(one)
  relative.forget()
  root.forget()
  await toolstack.write('/local/domain/2/device/vbd', '1')
  await toolstack.write('/secret', '1')
  await toolstack.write('/local/domain/1/device/vbd', '1')
  await toolstack.setPermissions('/local/domain/1/device/vbd', [{ access: 'n', domid: 1 }])
  await toolstack.remove('/local/domain/1/device')
  await settle(one)
  expect(new Set(relative.paths)).toEqual(new Set(['device/vbd', 'device']))
  expect(new Set(root.paths)).toEqual(new Set(['/local/domain/1/device/vbd', '/local/domain/1/device']))
})

test('introducing and releasing domains is domain 0’s alone, and a release ends the guest’s connections', async () => {
  const { toolstack, one, two } = await hostWithGuests()
  expect(await rejection(one.introduceDomain(2, 1, 1))).toBe('EACCES')
  expect(await rejection(one.releaseDomain(2))).toBe('EACCES')
  await one.write('device/x', '1')
  await toolstack.introduceDomain(1, 1, 1)
  await toolstack.releaseDomain(1)
  expect((await one.closed)?.message).toMatch('domain 1 was released')
  expect(await toolstack.read('/local/domain/1/device/x')).toBe('1')
  expect(await two.list('device')).toEqual([])
  expect(await rejection(toolstack.releaseDomain(1))).toBe('ENOENT')
  expect(await rejection(toolstack.releaseDomain(0))).toBe('EINVAL')
})

test('quotas bind a guest: nodes, also those made within transactions, and nodes given back count no more', async () => {
  const { one, two, toolstack } = await hostWithGuests({ nodes: 5 })
  for (const name of ['a', 'b', 'c']) await one.write(`device/${name}`, '')
  expect(await rejection(one.write('device/d/e/f', ''))).toBe('ENOSPC')
  const inside = one.transaction(async (ops) => {
    await ops.write('device/d', '')
    await ops.write('device/e', '')
  })
  expect(await rejection(inside)).toBe('ENOSPC')
  await one.remove('device/a')
  await one.write('device/d/e', '')
  expect(await rejection(one.mkdir('device/f'))).toBe('ENOSPC')
  await two.write('device/a', '')
  await toolstack.write('/local/domain/0/a/b/c/d/e/f', '')
})

test('a transaction that fitted when it began and does not when it commits changes nothing', async () => {
  const { one, connectAs } = await hostWithGuests({ nodes: 4 })
  const beside = connectAs(1)
  await beside.mkdir('device/other')
  const attempt = one.transaction(async (ops) => {
    await ops.write('device/x/y', '')
    await beside.write('device/other/z', '')
  })
  expect(await rejection(attempt)).toBe('ENOSPC')
  expect(await one.list('device')).toEqual(['other'])
})

test('quotas bind a guest: values, permissions, watches, transactions', async () => {
  const { one } = await hostWithGuests({ watches: 2, transactions: 1, permissions: 2 })
  await one.write('device/v', 'x'.repeat(2048))
  expect(await rejection(one.write('device/v', 'x'.repeat(2049)))).toBe('ENOSPC')
  const entries = [1, 2, 3].map((domid) => ({ access: 'r' as const, domid }))
  expect(await rejection(one.setPermissions('device/v', entries))).toBe('ENOSPC')
  const giveBack = await one.watch('device', () => {})
  await one.watch('device', () => {})
  expect(await rejection(one.watch('device', () => {}))).toBe('E2BIG')
  await giveBack()
  await one.watch('device', () => {})
  const nested = one.transaction(() => one.transaction(() => Promise.resolve()))
  expect(await rejection(nested)).toBe('ENOSPC')
})

test('quotas bind a guest: what one transaction may touch', async () => {
  const { one } = await hostWithGuests({ transactionNodes: 10 })
  const attempt = one.transaction(async (ops) => {
    for (let index = 0; index < 11; index++) await ops.read(`device/n${index}`)
  })
  expect(await rejection(attempt)).toBe('ENOSPC')
})

test('watches and transactions of a client that left are gone', async () => {
  const { server, connectAs, toolstack } = await hostWithGuests({ watches: 1 })
  for (let turn = 0; turn < 3; turn++) {
    const guest = connectAs(1)
    await guest.watch('device', () => {})
    guest.close()
    await guest.closed
  }
  await settle(toolstack)
  expect(server.connectionCount).toBe(3)
})

/** A connection that is spoken to in bytes. */
function raw(domid: number) {
  const server = new XenStored()
  const decoder = new WireDecoder()
  const replies: WireMessage[] = []
  const ended: string[] = []
  const connection = server.connect(domid, {
    send: (bytes) => replies.push(...decoder.push(bytes).messages),
    end: (reason) => ended.push(reason),
  })
  const ask = (type: number, payload: string, txId = 0): string => {
    connection.receive(encodeMessage(type, 1, txId, Buffer.from(payload, 'latin1')))
    return replies.pop()?.payload.toString('latin1') ?? 'no reply'
  }
  return { server, connection, ended, ask }
}

test('a length beyond the limit ends the connection; nothing after it is looked at', () => {
  const { connection, ended, server, ask } = raw(0)
  const hostile = encodeMessage(XS.READ, 1, 0, Buffer.alloc(0))
  hostile.writeUInt32LE(5000, 12)
  connection.receive(hostile)
  expect(ended).toEqual([expect.stringMatching('5000 bytes')])
  expect(ask(XS.WRITE, '/a\0b')).toBe('no reply')
  expect(server.tree.find('/a')).toBeUndefined()
  expect(server.connectionCount).toBe(0)
})

test('nonsense is answered with an error’s name and changes nothing', () => {
  const { ask, server } = raw(0)
  const before = server.tree.find('/')
  expect(ask(999, '')).toBe('ENOSYS\0')
  expect(ask(XS.WATCH_EVENT, '/\0t\0')).toBe('ENOSYS\0')
  expect(ask(XS.READ, '')).toBe('EINVAL\0')
  expect(ask(XS.READ, '/tool')).toBe('EINVAL\0')
  expect(ask(XS.READ, '/tool\0', 77)).toBe('ENOENT\0')
  expect(ask(XS.WRITE, '/a')).toBe('EINVAL\0')
  expect(ask(XS.WRITE, '/\xff\xfe\0x')).toBe('EINVAL\0')
  expect(ask(XS.RM, '/\0')).toBe('EINVAL\0')
  expect(ask(XS.SET_PERMS, '/tool\0')).toBe('EINVAL\0')
  expect(ask(XS.SET_PERMS, '/tool\0b99999\0')).toBe('EINVAL\0')
  expect(ask(XS.WATCH, '/tool\0')).toBe('EINVAL\0')
  expect(ask(XS.DIRECTORY_PART, '/\0-1\0')).toBe('EINVAL\0')
  expect(ask(XS.TRANSACTION_END, 'T\0')).toBe('ENOENT\0')
  expect(ask(XS.INTRODUCE, 'x\x001\x001\0')).toBe('EINVAL\0')
  expect(ask(XS.GET_DOMAIN_PATH, '70000\0')).toBe('EINVAL\0')
  expect(server.tree.find('/')).toBe(before)
})

test('any bytes at all may be a value, and come back as they were', () => {
  const { ask } = raw(0)
  const bytes = Array.from({ length: 256 }, (_, index) => String.fromCharCode(index)).join('')
  expect(ask(XS.WRITE, `/bytes\0${bytes}`)).toBe('OK\0')
  expect(ask(XS.READ, '/bytes\0')).toBe(bytes)
})

test('RESET_WATCHES makes a connection as new: no watches, no transactions', () => {
  const { ask } = raw(0)
  const id = Number(ask(XS.TRANSACTION_START, '\0').slice(0, -1))
  expect(ask(XS.READ, '/tool\0', id)).toBe('')
  expect(ask(XS.RESET_WATCHES, '\0')).toBe('OK\0')
  expect(ask(XS.READ, '/tool\0', id)).toBe('ENOENT\0')
  expect(ask(XS.UNWATCH, '/tool\0t\0')).toBe('ENOENT\0')
})
