import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../../src/cli/control/client.js'
import { decodeMessage, decodeRequest, LineReader, LINE_BYTES_MAX } from '../../src/cli/control/protocol.js'
import { CLIENTS_MAX, ControlServer, type ControlHandlers } from '../../src/cli/control/server.js'
import { XbbdError } from '../../src/protocol/errors.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-control-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

let count = 0
async function withServer(handlers: ControlHandlers, use: (path: string) => Promise<void>) {
  const path = join(dir, `s${count++}`)
  const server = await ControlServer.listen(path, handlers)
  try {
    await use(path)
  } finally {
    await server.close()
  }
}

async function withClient<T>(path: string, use: (client: ControlClient) => Promise<T>): Promise<T> {
  const client = await ControlClient.connect(path)
  try {
    return await use(client)
  } finally {
    client.close()
    await client.ended
  }
}

/** Sends raw bytes and returns everything that comes back until the server ends the connection or `lines` came. */
async function raw(path: string, bytes: string | Buffer, lines: number): Promise<string[]> {
  const socket = connect(path)
  await once(socket, 'connect')
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket) {
    text += String(chunk)
    if (text.split('\n').length > lines) break
  }
  socket.destroy()
  return text.split('\n').slice(0, -1)
}

const sum: ControlHandlers = { sum: ({ a, b }) => Promise.resolve(Number(a) + Number(b)) }

test('lines are cut wherever the stream is cut, and the bound holds', () => {
  const reader = new LineReader()
  const lines: string[] = []
  for (const byte of Buffer.from('one\nzwölf\n\nrest')) expect(reader.feed(Buffer.from([byte]), (line) => lines.push(line))).toBe(true)
  expect(lines).toEqual(['one', 'zwölf', ''])
  expect(reader.feed(Buffer.alloc(LINE_BYTES_MAX - 5, 32), () => fail())).toBe(true)
  expect(reader.feed(Buffer.alloc(1, 32), () => fail())).toBe(false)
  const line = Buffer.alloc(LINE_BYTES_MAX, 32)
  line[LINE_BYTES_MAX - 1] = 10
  expect(new LineReader().feed(line, (text) => lines.push(text))).toBe(true)
  expect(lines.at(-1)).toHaveLength(LINE_BYTES_MAX - 1)
  expect(new LineReader().feed(Buffer.concat([Buffer.from(' '), line]), () => fail())).toBe(false)
})

function fail(): never {
  throw new Error('no line was complete')
}

test('what is no request or no message is told apart', () => {
  expect(decodeRequest('{"id":1,"method":"m"}')).toEqual({ id: 1, method: 'm', params: {} })
  for (const line of ['', '[]', '1', '{"id":0,"method":"m"}', '{"id":1}', '{"id":1,"method":"m","params":[]}'])
    expect(typeof decodeRequest(line)).toBe('string')
  for (const line of ['', 'null', '{"id":1}', '{"result":1}', '{"id":1,"error":{"code":1}}'])
    expect(decodeMessage(line)).toBeUndefined()
})

test('a call has its result; calls of one client run side by side', async () => {
  await withServer({ ...sum, never: () => new Promise(() => undefined) }, (path) =>
    withClient(path, async (client) => {
      const never = client.call('never')
      expect(await client.call('sum', { a: 1, b: 2 })).toBe(3)
      expect(await client.call('sum', { a: 3, b: 4 })).toBe(7)
      client.close()
      await expect(never).rejects.toMatchObject({ exitCode: 75 })
    }),
  )
})

test('events arrive before the result, and only with the call they belong to', async () => {
  const handlers: ControlHandlers = {
    slow: (_params, progress) => {
      progress({ step: 1 })
      progress({ step: 2 })
      return Promise.resolve('done')
    },
  }
  await withServer(handlers, (path) =>
    withClient(path, async (client) => {
      const events: unknown[] = []
      expect(await client.call('slow', {}, (event) => events.push(event))).toBe('done')
      expect(events).toEqual([{ step: 1 }, { step: 2 }])
    }),
  )
})

test("an operator's mistake arrives as it was thrown, anything else as our fault", async () => {
  const handlers: ControlHandlers = {
    mistake: () => Promise.reject(new XbbdError('XBBD_X', 'do that instead', { exitCode: 65 })),
    fault: () => Promise.reject(new TypeError('oops')),
  }
  await withServer(handlers, (path) =>
    withClient(path, async (client) => {
      await expect(client.call('mistake')).rejects.toMatchObject({ code: 'XBBD_X', message: 'do that instead', exitCode: 65 })
      await expect(client.call('fault')).rejects.toMatchObject({ code: 'XBBD_INTERNAL', exitCode: 70 })
      await expect(client.call('mistke')).rejects.toMatchObject({ message: expect.stringMatching(/did you mean mistake/) as unknown })
      await expect(client.call('constructor')).rejects.toMatchObject({ code: 'XBBD_CONTROL_METHOD' })
    }),
  )
})

test('an answer that does not fit a line becomes an error that says so', async () => {
  await withServer({ big: () => Promise.resolve('x'.repeat(LINE_BYTES_MAX)) }, (path) =>
    withClient(path, async (client) => {
      await expect(client.call('big')).rejects.toMatchObject({ code: 'XBBD_CONTROL_SIZE' })
      await expect(client.call('big', { x: 'x'.repeat(LINE_BYTES_MAX) })).rejects.toMatchObject({ exitCode: 64 })
    }),
  )
})

test('nonsense is answered under id 0 and the connection goes on; a line without end ends it', async () => {
  await withServer(sum, async (path) => {
    const lines = await raw(path, 'nonsense\n\n{"id":7,"method":"sum","params":{"a":1,"b":1}}\n', 2)
    expect(lines.map((line) => decodeMessage(line))).toEqual([
      { id: 0, error: expect.objectContaining({ code: 'XBBD_CONTROL_REQUEST' }) as unknown },
      { id: 7, result: 2 },
    ])
    const ended = await raw(path, Buffer.alloc(LINE_BYTES_MAX + 1, 32), 9)
    expect(ended).toEqual([expect.stringContaining('XBBD_CONTROL_SIZE')])
  })
})

test('the socket belongs to its owner alone', async () => {
  await withServer(sum, (path) => {
    expect(statSync(path).mode & 0o777).toBe(0o600)
    return Promise.resolve()
  })
})

test('one client more than allowed is told so, and a place becomes free again', async () => {
  await withServer(sum, async (path) => {
    const clients = await Promise.all(Array.from({ length: CLIENTS_MAX }, () => ControlClient.connect(path)))
    await Promise.all(clients.map((client) => client.call('sum', { a: 0, b: 0 })))
    expect(await raw(path, '', 9)).toEqual([expect.stringContaining('XBBD_CONTROL_BUSY')])
    clients[0].close()
    await clients[0].ended
    // the server learns of the end a moment later
    let sum: unknown
    while (sum === undefined)
      sum = await withClient(path, (client) => client.call('sum', { a: 1, b: 1 })).catch((error: XbbdError) => {
        expect(error.code).toBe('XBBD_CONTROL_BUSY')
      })
    expect(sum).toBe(2)
    for (const client of clients) client.close()
  })
})

test('requests of one client are bounded', async () => {
  await withServer({ never: () => new Promise(() => undefined) }, async (path) => {
    const calls = Array.from({ length: 17 }, (_, id) => `${JSON.stringify({ id: id + 1, method: 'never' })}\n`).join('')
    expect(await raw(path, calls, 1)).toEqual([expect.stringMatching(/"id":17.*XBBD_CONTROL_BUSY/)])
  })
})

test('a second daemon is refused while the first one listens; a socket left over is replaced', async () => {
  await withServer(sum, async (path) => {
    await expect(ControlServer.listen(path, {})).rejects.toMatchObject({ code: 'XBBD_RUNNING', exitCode: 75 })
    await withClient(path, async (client) => expect(await client.call('sum', { a: 1, b: 1 })).toBe(2))
  })
  const stale = join(dir, 'stale')
  const killed = createServer().listen(stale)
  await once(killed, 'listening')
  // What a killed process leaves is a socket file without a listener: keep the file while the listener goes.
  const { linkSync } = await import('node:fs')
  linkSync(stale, `${stale}.kept`)
  killed.close()
  await once(killed, 'close')
  const server = await ControlServer.listen(`${stale}.kept`, sum)
  await withClient(`${stale}.kept`, async (client) => expect(await client.call('sum', { a: 2, b: 2 })).toBe(4))
  await server.close()
})

test('a file that is no socket is never removed', async () => {
  const path = join(dir, 'precious')
  writeFileSync(path, 'data')
  await expect(ControlServer.listen(path, {})).rejects.toMatchObject({ exitCode: 73 })
  expect(statSync(path).size).toBe(4)
})

test('without a daemon the sentence says how to start one', async () => {
  await expect(ControlClient.connect(join(dir, 'nobody'))).rejects.toMatchObject({
    exitCode: 69,
    message: expect.stringMatching(/no daemon listens on .*nobody: start one with `xbbd run`/) as unknown,
  })
})
