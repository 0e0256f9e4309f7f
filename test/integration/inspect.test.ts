/**
 * The feed for Stately's inspector, with the real package as its receiver: the relay of `@statelyai/inspect/server` and
 * the receiver of `@statelyai/inspect`, in a process of their own, as an operator runs them.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMachine } from 'xstate'
import { packageRoot } from '../../src/io/native/load.js'
import { charts } from '../../src/machines/index.js'
import { notesOf } from '../../src/machines/notes.js'
import { statePath } from '../../src/machines/fold.js'
import { writeSegments } from '../support/journal-tools.js'
import { RealWorld, until } from '../support/processes.js'
import { recordedSegments } from '../support/recorded-device.js'
import { xbbd } from '../support/xbbd-process.js'

interface Message {
  readonly type: string
  readonly sessionId: string
  readonly rootId: string
  readonly parentId?: string
  readonly definition?: string
  readonly event?: { readonly type: string }
  readonly snapshot?: { readonly status: string; readonly value: unknown }
}

/** The package's own server and receiver; what it receives comes out as one line each. */
const RECEIVER = `
import { createInspectorServer } from '@statelyai/inspect/server'
import { createWebSocketReceiver } from '@statelyai/inspect'
const port = Number(process.argv[1])
createInspectorServer({ port, autoOpen: false })
setTimeout(() => {
  createWebSocketReceiver({ server: 'ws://localhost:' + port }).subscribe((event) => console.log(JSON.stringify(event)))
  setTimeout(() => console.log('"listening"'), 300)
}, 300)
`

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

class Receiver {
  readonly messages: Message[] = []
  #child: ChildProcess | undefined
  #text = ''
  #listens = false

  async start(port: number): Promise<void> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', RECEIVER, `${port}`], {
      cwd: packageRoot(), stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk.toString()))
    await until('the receiver listens', () => this.#listens)
  }

  #take(text: string): void {
    const lines = (this.#text + text).split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines)
      if (line === '"listening"') this.#listens = true
      else this.messages.push(JSON.parse(line) as Message)
  }

  of(type: string, sessionId?: string): Message[] {
    return this.messages.filter((one) => one.type === type && (sessionId === undefined || one.sessionId === sessionId))
  }

  stop(): void {
    this.#child?.kill('SIGKILL')
  }
}

let receiver: Receiver
let port: number
beforeEach(async () => {
  receiver = new Receiver()
  port = await freePort()
  await receiver.start(port)
})
afterEach(() => receiver.stop())

interface Entry {
  readonly record: { readonly value?: { readonly event?: { readonly type: string } } }
}

/** Every actor is introduced with its chart before anything is said of it, and stands only where its chart can. */
function judge(messages: readonly Message[]): void {
  const introduced = new Map<string, string>()
  for (const { type, sessionId, definition = '{}', parentId, snapshot } of messages) {
    if (type === '@xstate.actor') {
      const { id } = JSON.parse(definition) as { id: string }
      expect(charts.map(({ name }) => name)).toContain(id)
      if (!introduced.has(sessionId)) expect(() => createMachine(JSON.parse(definition) as never)).not.toThrow()
      if (parentId !== undefined) expect(introduced.has(parentId)).toBe(true)
      introduced.set(sessionId, id)
    }
    const chart = introduced.get(sessionId)
    if (chart === undefined) throw new Error(`${sessionId} is spoken of before it is introduced`)
    if (snapshot !== undefined)
      for (const leaf of statePath(snapshot.value).split(' ')) expect([...notesOf(chart).keys()]).toContain(leaf)
  }
}

test('a recording is told in order and in full: every event of the device, requests from entry to end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'xbbd-inspect-'))
  try {
    const { actors, queue } = recordedSegments()
    writeSegments(folder, [...actors, ...queue])
    const told = await xbbd('replay', folder, '--inspect', `ws://localhost:${port}`)
    expect(told.status).toBe(0)
    const count = Number(/^(\d+) messages of 2 journals told/.exec(told.stdout)?.[1])
    await until('all has arrived', () => receiver.messages.length === count)
    judge(receiver.messages)
    const cat = await xbbd('journal', 'cat', folder, '--json')
    const entries = cat.stdout.trim().split('\n').map((line) => JSON.parse(line) as Entry)
    const events = entries.flatMap(({ record: { value } }) => value?.event?.type ?? []).filter((type) => type !== '@started')
    expect(events.length).toBeGreaterThan(10)
    const device = receiver.messages.filter(({ type, sessionId }) => type === '@xstate.event' && !/q0/.test(sessionId))
    expect(device.map(({ event }) => event?.type)).toEqual(events)
    const requests = receiver.of('@xstate.actor').filter(({ sessionId }) => sessionId.includes('/request-'))
    expect(requests.length).toBeGreaterThan(3)
    const [first] = requests
    expect(first.parentId).toBe('vbd/1/51712/q0')
    const way = receiver.of('@xstate.snapshot', first.sessionId).map(({ snapshot }) => snapshot)
    expect(way[0]?.value).toBe('Taken')
    expect(way.at(-1)).toMatchObject({ status: 'stopped', value: 'Free' })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a daemon tells what its devices do, to whoever comes late as well, and some of their requests', async () => {
  const world = await RealWorld.start()
  try {
    const daemon = await world.daemon({ flags: ['--inspect', `ws://localhost:${port}`] })
    const guest = await world.guest()
    await daemon.attach({ domid: guest.domid, target: world.image(4 << 20) })
    const front = await guest.connect()
    for (let index = 0; index < 20; index++) await front.write(index * 4096, Buffer.alloc(4096, index))
    const name = `vbd/${guest.domid}/51712`
    const values = (actor: string) => receiver.of('@xstate.snapshot', actor).map(({ snapshot }) => statePath(snapshot?.value))
    await until('it is Connected there', () => values(name).some((state) => state.startsWith('Connected.')))
    await until('a request is told', () => receiver.messages.some(({ sessionId }) => sessionId.startsWith(`${name}/q0/request-`)))
    judge(receiver.messages)
    expect(receiver.of('@xstate.actor', name).at(-1)).toMatchObject({ parentId: `supervisor/${name}`, rootId: `supervisor/${name}` })
    expect(receiver.of('@xstate.actor', `${name}/medium`)).not.toEqual([])
    // The receiver goes; the daemon does not care, and greets the next one.
    receiver.stop()
    receiver = new Receiver()
    await receiver.start(port)
    await until('it greets the next', () => receiver.of('@xstate.actor', name).length > 0)
    await front.close()
    await daemon.detach({ domid: guest.domid })
    await until('the end is told', () => receiver.of('@xstate.snapshot', name).at(-1)?.snapshot?.status === 'stopped')
    judge(receiver.messages)
    guest.close()
    await daemon.stop('park')
  } finally {
    await world.close()
  }
}, 60_000)

test('nobody there, no address, or two things at once are sentences', async () => {
  const nobody = await xbbd('replay', packageRoot(), '--inspect', 'ws://localhost:1')
  expect(nobody.status).toBe(66)
  const folder = mkdtempSync(join(tmpdir(), 'xbbd-inspect-'))
  try {
    writeSegments(folder, recordedSegments().actors)
    const gone = await xbbd('replay', folder, '--inspect', 'ws://localhost:1')
    expect(gone).toMatchObject({ status: 69, stdout: '', stderr: expect.stringMatching(/no inspector answers at ws:/) as string })
    expect(await xbbd('replay', folder, '--inspect', 'nowhere')).toMatchObject({ status: 64 })
    expect(await xbbd('replay', folder, '--speed', '2')).toMatchObject({ status: 64 })
    expect(await xbbd('replay', folder, '--inspect', 'ws://localhost:1', '--at', '3')).toMatchObject({ status: 64 })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  expect(await xbbd('run', '--inspect', 'http://localhost:1')).toMatchObject({ status: 78 })
})
