/** The client against a server that is a test: what it bounds, what it merges, and what it does not put up with. */
import { inProcessXenStore } from '../../src/embedded/xenstored/in-process.js'
import { connectXenStore, XenStoreClient } from '../../src/io/xenstore/client.js'
import type { Transport } from '../../src/io/xenstore/transport.js'
import { encodeMessage, WireDecoder, type WireMessage, XS } from '../../src/io/xenstore/wire.js'
import { rejection } from './xenstore.js'

/** A transport whose other end is the test itself. */
function scripted() {
  const requests: WireMessage[] = []
  const decoder = new WireDecoder()
  let receive: (chunk: Uint8Array) => void = () => {}
  let ended: (reason: Error | undefined) => void = () => {}
  const state = { closed: false }
  const transport: Transport = {
    write: (bytes) => void requests.push(...decoder.push(bytes).messages),
    onBytes: (handler) => (receive = handler),
    onClose: (handler) => (ended = handler),
    close: () => (state.closed = true),
  }
  const client = new XenStoreClient(transport)
  const reply = (request: WireMessage, text: string, type = request.type): void =>
    receive(encodeMessage(type, request.reqId, request.txId, Buffer.from(text, 'latin1')))
  const events = (token: string, paths: readonly string[]): void =>
    receive(
      Buffer.concat(paths.map((path) => encodeMessage(XS.WATCH_EVENT, 0, 0, Buffer.from(`${path}\0${token}\0`)))),
    )
  const pass = (bytes: Uint8Array): void => receive(bytes)
  const lose = (reason: Error): void => ended(reason)
  return { client, requests, reply, events, receive: pass, lose, state }
}

/** Sets a watch on /w and gives its token and what was called. */
async function watched(script: ReturnType<typeof scripted>) {
  const calls: string[] = []
  const set = script.client.watch('/w', (path) => calls.push(path))
  await Promise.resolve()
  const request = script.requests[script.requests.length - 1]
  script.reply(request, 'OK\0')
  const giveBack = await set
  return { calls, giveBack, token: request.payload.toString().split('\0')[1] }
}

test('replies find their requests in any order', async () => {
  const { client, requests, reply } = scripted()
  const [a, b] = [client.read('/a'), client.read('/b')]
  reply(requests[1], 'B')
  reply(requests[0], 'A')
  expect([await a, await b]).toEqual(['A', 'B'])
})

test('256 requests are under way, 4096 wait, the next is refused with EBUSY; then all go on', async () => {
  const { client, requests, reply } = scripted()
  const results = Array.from({ length: 256 + 4096 }, (_, index) => client.read(`/n${index}`))
  expect(await rejection(client.read('/one-more'))).toBe('EBUSY')
  expect(requests).toHaveLength(256)
  for (let next = 0; next < requests.length; next++) reply(requests[next], String(next))
  const values = await Promise.all(results)
  expect(values).toEqual(values.map((_, index) => String(index)))
  expect(requests).toHaveLength(256 + 4096)
})

test('bytes that are no text arrive with U+FFFD in their place', async () => {
  const { client, requests, reply } = scripted()
  const value = client.read('/a')
  reply(requests[0], '4\xff\xfe')
  expect(await value).toBe('4\ufffd\ufffd')
})

test('events that arrive together are one call per path', async () => {
  const script = scripted()
  const { calls, token } = await watched(script)
  script.events(token, ['/w/a', '/w/b', '/w/a', '/w/a'])
  script.events(token, ['/w/b'])
  expect(calls).toEqual([])
  await Promise.resolve()
  expect(calls).toEqual(['/w/a', '/w/b'])
  script.events(token, ['/w/a'])
  await Promise.resolve()
  expect(calls).toEqual(['/w/a', '/w/b', '/w/a'])
})

test('XSA-349: up to 1024 paths wait; beyond that there is one call with the watched path, and then calls as before', async () => {
  const script = scripted()
  const { calls, token } = await watched(script)
  const paths = Array.from({ length: 1025 }, (_, index) => `/w/${index}`)
  script.events(token, paths.slice(0, 1024))
  await Promise.resolve()
  expect(calls.splice(0)).toEqual(paths.slice(0, 1024))
  script.events(token, [...paths, ...paths])
  await Promise.resolve()
  expect(calls.splice(0)).toEqual(['/w'])
  script.events(token, ['/w/1'])
  await Promise.resolve()
  expect(calls).toEqual(['/w/1'])
})

test('events that wait for a watch that is given back are dropped, late ones too', async () => {
  const script = scripted()
  const { calls, token, giveBack } = await watched(script)
  script.events(token, ['/w/a'])
  const given = giveBack()
  script.events(token, ['/w/b'])
  script.reply(script.requests[script.requests.length - 1], 'OK\0')
  await given
  script.events(token, ['/w/c'])
  await Promise.resolve()
  expect(calls).toEqual([])
})

const violations: Record<string, (script: ReturnType<typeof scripted>) => void> = {
  'a reply to nothing': ({ receive }) => receive(encodeMessage(XS.READ, 4711, 0, Buffer.alloc(0))),
  'a reply of another type': ({ reply, requests }) => reply(requests[0], 'x', XS.DIRECTORY),
  'an event without token': ({ receive }) => receive(encodeMessage(XS.WATCH_EVENT, 0, 0, Buffer.from('/w\0'))),
  'a length beyond the limit': ({ receive }) => receive(encodeMessage(XS.READ, 1, 0, Buffer.alloc(4097))),
}

test.each(Object.keys(violations))('%s ends the connection with EPROTO', async (name) => {
  const script = scripted()
  const pending = rejection(script.client.read('/a'))
  violations[name](script)
  expect(await script.client.closed).toMatchObject({ code: 'EPROTO' })
  expect(['ENOTCONN', 'EPROTO']).toContain(await pending)
  expect(script.state.closed).toBe(true)
})

test('when the connection is lost, everything under way and waiting rejects, and closed says why', async () => {
  const { client, lose } = scripted()
  const results = Array.from({ length: 300 }, () => rejection(client.read('/a')))
  lose(new Error('the server went away'))
  expect(new Set(await Promise.all(results))).toEqual(new Set(['ENOTCONN']))
  expect((await client.closed)?.message).toBe('the server went away')
})

test('a callback that throws ends the connection, and closed has what it threw', async () => {
  const { client, server } = inProcessXenStore()
  const thrown = new Error('mine')
  await client.watch('/', () => {
    throw thrown
  })
  expect((await client.closed)?.cause).toBe(thrown)
  expect(server.connectionCount).toBe(0)
})

test('a directory that changes with each part is read anew, and given up in the end', async () => {
  const script = scripted()
  const listed = rejection(script.client.list('/big'))
  for (let next = 0; next < 1 + 8 * 2; next++) {
    while (script.requests.length <= next) await Promise.resolve()
    const request = script.requests[next]
    if (request.type === XS.DIRECTORY) script.reply(request, 'E2BIG\0', XS.ERROR)
    else script.reply(request, `${next}\0name\0`)
  }
  expect(await listed).toBe('EAGAIN')
})

test('no server at the socket is a sentence', async () => {
  await expect(connectXenStore('/nonexistent/socket')).rejects.toMatchObject({
    code: 'ENOENT',
    message: expect.stringMatching('is xenstored running') as string,
  })
})

test('within the process the order of everything is the same each time', async () => {
  const run = async (): Promise<string[]> => {
    const { client, connectAs } = inProcessXenStore()
    const log: string[] = []
    const guest = connectAs(3)
    await client.mkdir('/local/domain/3')
    await client.setPermissions('/local/domain/3', [{ access: 'n', domid: 3 }])
    await guest.watch('state', (path) => log.push(`guest ${path}`))
    await client.watch('/local/domain', (path) => log.push(`host ${path}`))
    const work = Array.from({ length: 20 }, async (_, index) => {
      await (index % 2 ? guest.write('state', String(index)) : client.write(`/local/domain/3/n${index}`, ''))
      log.push(`done ${index}`)
    })
    await Promise.all(work)
    return log
  }
  const first = await run()
  expect(first.length).toBeGreaterThan(30)
  expect(await run()).toEqual(first)
})
