import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageListener, MessageSocket } from '../../src/io/native/message-socket.js'
import { closeDescriptor, descriptorOf, map, owned, unmap, view } from '../../src/io/native/owners.js'
import { eventfdCreate, eventfdRead, eventfdWrite, memfdCreate } from '../../src/io/native/shm.js'

const failing = (code: string) => expect.objectContaining({ code }) as Error
const descriptors = () => readdirSync('/proc/self/fd').length

interface Inbox {
  readonly messages: { text: string; handles: number[] }[]
  /** Resolves with the next message, or with undefined at the end. */
  next(): Promise<{ text: string; handles: number[] } | undefined>
}

function inbox(socket: MessageSocket): Inbox {
  const messages: { text: string; handles: number[] }[] = []
  const waiting: ((value: { text: string; handles: number[] } | undefined) => void)[] = []
  let ended = false
  socket.listen({
    message(bytes, handles) {
      const message = { text: Buffer.from(bytes).toString(), handles }
      const first = waiting.shift()
      if (first) first(message)
      else messages.push(message)
    },
    end() {
      ended = true
      for (const waiter of waiting) waiter(undefined)
    },
  })
  const next = () =>
    new Promise<{ text: string; handles: number[] } | undefined>((resolve) => {
      if (messages.length > 0) resolve(messages.shift())
      else if (ended) resolve(undefined)
      else waiting.push(resolve)
    })
  return { messages, next }
}

let scratch = ''
let path = ''
let before = 0
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'xbbd-socket-'))
  path = join(scratch, 's')
  before = owned().length
})
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true })
  expect(owned().length).toBe(before)
})

/** Both ends of one connection, and the listener. */
async function pair() {
  let accepted: (socket: MessageSocket) => void = () => undefined
  const arrival = new Promise<MessageSocket>((resolve) => (accepted = resolve))
  const listener = new MessageListener(path, 0o600, (socket) => accepted(socket))
  const client = MessageSocket.connect(path)
  const server = await arrival
  return { listener, client, server }
}

test('messages keep their boundaries, in both directions, up to 64 KiB', async () => {
  const { listener, client, server } = await pair()
  const [atServer, atClient] = [inbox(server), inbox(client)]
  for (const text of ['a', 'bc', 'x'.repeat(65536)]) expect(client.send(Buffer.from(text))).toBe(true)
  expect(server.send(Buffer.from('back'))).toBe(true)
  expect((await atServer.next())?.text).toBe('a')
  expect((await atServer.next())?.text).toBe('bc')
  expect((await atServer.next())?.text.length).toBe(65536)
  expect((await atClient.next())?.text).toBe('back')
  client.close()
  expect(await atServer.next()).toBeUndefined()
  expect(server.open).toBe(false)
  expect(server.send(Buffer.from('x'))).toBe(false)
  listener.close()
  expect(existsSync(path)).toBe(false)
})

test('descriptors arrive, are close-on-exec, and stay the sender’s too', async () => {
  const { listener, client, server } = await pair()
  const atServer = inbox(server)
  const events = Array.from({ length: 16 }, eventfdCreate)
  expect(client.send(Buffer.from('x'), events)).toBe(true)
  const handles = (await atServer.next())?.handles ?? []
  expect(handles.length).toBe(16)
  for (const [i, handle] of handles.entries()) {
    eventfdWrite(handle)
    expect(eventfdRead(events[i])).toBe(1)
    expect(descriptorOf(handle)).not.toBe(descriptorOf(events[i]))
    closeDescriptor(handle)
  }
  const child = spawn('ls', ['/proc/self/fd'])
  const listed: string[] = []
  child.stdout.on('data', (data: Buffer) => listed.push(data.toString()))
  await once(child, 'close')
  const inherited = new Set(listed.join('').trim().split('\n'))
  for (const event of events) expect(inherited.has(String(descriptorOf(event)))).toBe(false)
  for (const event of events) closeDescriptor(event)
  client.close()
  await atServer.next()
  listener.close()
})

test('what breaks the bounds is refused and nothing leaks', async () => {
  const { listener, client, server } = await pair()
  const event = eventfdCreate()
  expect(() => client.send(new Uint8Array(0))).toThrow(failing('EINVAL'))
  expect(() => client.send(new Uint8Array(65537))).toThrow(failing('EINVAL'))
  expect(() => client.send(new Uint8Array(1), new Array<number>(17).fill(event))).toThrow(failing('EINVAL'))
  expect(() => client.send(new Uint8Array(1), [event, 999_999])).toThrow(failing('EINVAL'))
  expect(() => new MessageListener(path, 0o600, () => undefined)).toThrow(failing('EADDRINUSE'))
  expect(() => MessageSocket.connect(join(scratch, 'x'.repeat(120)))).toThrow(failing('ENAMETOOLONG'))
  expect(() => MessageSocket.connect(join(scratch, 'nobody'))).toThrow(failing('ENOENT'))
  expect(owned().find((entry) => entry.handle === event)?.borrows).toBe(0)
  closeDescriptor(event)
  for (const end of [listener, client, server]) end.close()
  expect(() => MessageSocket.connect(path)).toThrow(failing('ENOENT'))
})

test('a peer that does not read fills its buffer, and sending says so', async () => {
  const { listener, client, server } = await pair()
  let sent = 0
  while (sent < 10_000 && client.send(new Uint8Array(65536))) sent++
  expect(sent).toBeLessThan(10_000)
  for (const end of [listener, client, server]) end.close()
})

test('descriptors of a message that nobody received die with the socket', async () => {
  const open = descriptors()
  const { listener, client, server } = await pair()
  const event = eventfdCreate()
  client.send(new Uint8Array(1), [event, event, event])
  closeDescriptor(event)
  for (const end of [listener, client, server]) end.close()
  expect(descriptors()).toBeLessThanOrEqual(open)
})

test('what a peer sent arrives, though it left with something of ours unread', async () => {
  const { listener, client, server } = await pair()
  for (const text of ['last', 'words']) expect(server.send(Buffer.from(text))).toBe(true)
  expect(client.send(Buffer.from('unread'))).toBe(true)
  server.close()
  const atClient = inbox(client)
  expect([(await atClient.next())?.text, (await atClient.next())?.text]).toEqual(['last', 'words'])
  expect(await atClient.next()).toBeUndefined()
  listener.close()
})

test('the socket has the mode that was asked for, whatever the umask', () => {
  for (const mode of [0o600, 0o660, 0o666]) {
    const listener = new MessageListener(path, mode, () => undefined)
    expect(statSync(path).mode & 0o777).toBe(mode)
    listener.close()
  }
})

test('two processes share memory and a wake-up; one that could shrink it is refused by the other', async () => {
  let accepted: (socket: MessageSocket) => void = () => undefined
  const arrival = new Promise<MessageSocket>((resolve) => (accepted = resolve))
  const listener = new MessageListener(path, 0o600, (socket) => accepted(socket))
  const child = spawn(process.execPath, [fileURLToPath(new URL('./message-peer.js', import.meta.url)), path], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const left = once(child, 'exit')
  const server = await arrival
  const atServer = inbox(server)
  const event = eventfdCreate()
  const sealed = memfdCreate('sealed', 8192)
  const mapping = map(sealed, 8192, 0, true)
  const bytes = new Uint8Array(view(mapping)).fill(41)
  server.send(Buffer.from('x'), [sealed, event])
  expect((await atServer.next())?.text).toBe('done')
  expect(new Set(bytes)).toEqual(new Set([42]))
  expect(eventfdRead(event)).toBe(1)
  const unsealed = memfdCreate('unsealed', 8192, { sealShrink: false })
  server.send(Buffer.from('x'), [unsealed, event])
  expect((await atServer.next())?.text).toBe('EPERM')
  expect(eventfdRead(event)).toBe(0)
  server.close()
  expect((await left)[0]).toBe(0)
  unmap(mapping)
  for (const handle of [event, sealed, unsealed]) closeDescriptor(handle)
  listener.close()
})
