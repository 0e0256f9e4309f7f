/** The tools that Debian ships (xenstore-utils, libxenstore) work against our server as they do on a Xen host. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { type Listener, listenOn } from '../../src/embedded/xenstored/server.js'
import { XenStored } from '../../src/embedded/xenstored/xenstored.js'
import { testWith } from '../support/clients.js'

let directory: string
let listener: Listener
let guest: Listener

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'xbbd-xenstore-tools-'))
  const server = new XenStored()
  listener = await listenOn(server, join(directory, 'socket'))
  guest = await listenOn(server, join(directory, 'socket.7'), 7)
})

afterAll(async () => {
  await guest.close()
  await listener.close()
  rmSync(directory, { recursive: true })
})

/** Runs a tool; resolves with its output, or with its complaint when it fails. */
async function tool(name: string, ...args: string[]): Promise<string> {
  return toolAt(listener.path, name, ...args)
}

async function toolAt(socket: string, name: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, XENSTORED_PATH: socket }
  try {
    const { stdout } = await promisify(execFile)(name, args, { env })
    return stdout
  } catch (error) {
    const { stderr, code } = error as { stderr?: string; code?: number }
    return `exit ${code}: ${stderr}`
  }
}

testWith(['xenstore-write', 'xenstore-read', 'xenstore-list', 'xenstore-exists'], 'write, read, list', async () => {
  expect(await tool('xenstore-write', '/tools/a', 'one', '/tools/b/c', 'two')).toBe('')
  expect(await tool('xenstore-read', '/tools/a')).toBe('one\n')
  expect(await tool('xenstore-read', '-p', '/tools/b/c')).toBe('/tools/b/c: two\n')
  expect((await tool('xenstore-list', '/tools')).split('\n').sort()).toEqual(['', 'a', 'b'])
  expect(await tool('xenstore-exists', '/tools/a')).toBe('')
  expect(await tool('xenstore-exists', '/tools/none')).toMatch('exit 1')
  expect(await tool('xenstore-read', '/tools/none')).toMatch("couldn't read path /tools/none")
})

testWith(['xenstore-write', 'xenstore-chmod', 'xenstore-ls'], 'chmod and a listing with permissions', async () => {
  await tool('xenstore-write', '/modes/a', 'x', '/modes/a/b', 'y')
  expect(await tool('xenstore-chmod', '/modes/a', 'n7', 'r0')).toBe('')
  expect(await tool('xenstore-ls', '-fp', '/modes')).toBe('/modes/a = "x"   (n7,r0)\n/modes/a/b = "y"   (n0)\n')
  expect(await tool('xenstore-chmod', '-r', '/modes/a', 'b7')).toBe('')
  expect(await tool('xenstore-ls', '-fp', '/modes')).toBe('/modes/a = "x"   (b7)\n/modes/a/b = "y"   (b7)\n')
})

testWith(['xenstore-ls', 'xenstore-write'], 'a listing of a directory that needs several replies', async () => {
  const pairs = Array.from({ length: 400 }, (_, index) => [`/long/name-of-node-${1000 + index}`, '1']).flat()
  expect(await tool('xenstore-write', ...pairs)).toBe('')
  expect((await tool('xenstore-ls', '/long')).trim().split('\n')).toHaveLength(400)
})

testWith(['xenstore-rm', 'xenstore-write', 'xenstore-ls'], 'rm takes what is below, and empty parents', async () => {
  await tool('xenstore-write', '/gone/a/b', '1', '/gone/keep', '1')
  expect(await tool('xenstore-rm', '/gone/a')).toBe('')
  expect(await tool('xenstore-ls', '/gone')).toBe('keep = "1"\n')
  expect(await tool('xenstore-rm', '-t', '/gone/keep')).toBe('')
  expect(await tool('xenstore-ls', '/gone')).toMatch('exit 1')
})

testWith(['xenstore-watch', 'xenstore-write', 'xenstore-rm'], 'watch prints paths at once and at changes', async () => {
  const env = { ...process.env, XENSTORED_PATH: listener.path }
  const watching = spawn('xenstore-watch', ['-n', '3', '/watched'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  const exited = once(watching, 'exit')
  const lines = createInterface({ input: watching.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => (await lines.next()).value
  expect(await next()).toBe('/watched')
  await tool('xenstore-write', '/watched/state', '4')
  expect(await next()).toBe('/watched/state')
  await tool('xenstore-rm', '/watched')
  expect(await next()).toBe('/watched')
  expect((await exited)[0]).toBe(0)
})

testWith(['xenstore-write', 'xenstore-read'], 'a guest on its own socket has a guest’s rights', async () => {
  await tool('xenstore-write', '/local/domain/7/device/vbd/51712/state', '1', '/local/domain/8/name', 'other')
  await tool('xenstore-chmod', '-r', '/local/domain/7/device', 'n7', 'r0')
  expect(await toolAt(guest.path, 'xenstore-write', 'device/vbd/51712/state', '3')).toBe('')
  expect(await tool('xenstore-read', '/local/domain/7/device/vbd/51712/state')).toBe('3\n')
  expect(await toolAt(guest.path, 'xenstore-read', '/local/domain/8/name')).toMatch('exit 1')
  expect(await toolAt(guest.path, 'xenstore-write', '/local/domain/8/name', 'mine')).toMatch('exit 1')
  expect(await tool('xenstore-read', '/local/domain/8/name')).toBe('other\n')
})
