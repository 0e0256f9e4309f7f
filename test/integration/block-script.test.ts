/** packaging/block-xbbd as libxl runs it, with Debian's xenstore tools, over our XenStore. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listenOn, type Listener } from '../../src/embedded/xenstored/server.js'
import { XenStored } from '../../src/embedded/xenstored/xenstored.js'
import { connectXenStore, type XenStoreClient } from '../../src/io/xenstore/client.js'
import { packageRoot } from '../../src/io/native/load.js'
import { testWith } from '../support/clients.js'

const script = join(packageRoot(), 'packaging/block-xbbd')
const backend = '/local/domain/0/backend/vbd/5/51712'
const tools = ['xenstore-read', 'xenstore-write', 'xenstore-exists'] as const
let directory: string
let listener: Listener
let store: XenStoreClient

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'xbbd-block-'))
  listener = await listenOn(new XenStored(), join(directory, 'socket'))
  store = await connectXenStore(listener.path)
})
beforeEach(() => store.remove(backend))
afterAll(async () => {
  store.close()
  await listener.close()
  rmSync(directory, { recursive: true })
})

async function device(nodes: Readonly<Record<string, string>>): Promise<void> {
  for (const [key, value] of Object.entries({ params: '/srv/a.img', ...nodes })) await store.write(`${backend}/${key}`, value)
}

/** Runs the script under one of the shells that a dom0 may have as /bin/sh. */
function run(shell: string, argument: string, path = backend): Promise<{ status: unknown; stderr: string }> {
  const env = { PATH: process.env.PATH, XENSTORED_PATH: listener.path, ...(path && { XENBUS_PATH: path }) }
  return new Promise((resolve) =>
    execFile(shell, [script, argument], { env }, (error, _stdout, stderr) => resolve({ status: error?.code ?? 0, stderr })),
  )
}

const node = (key: string) => store.read(`${backend}/${key}`)

for (const shell of ['dash', 'bash']) {
  testWith([shell, ...tools], `${shell}: an offered disk is connected, under either spelling of its path`, async () => {
    for (const path of [backend, 'backend/vbd/5/51712']) {
      await device({ state: '2', 'hotplug-status': '' })
      expect(await run(shell, 'add', path)).toEqual({ status: 0, stderr: '' })
      expect(await node('hotplug-status')).toBe('connected')
    }
  })

  testWith([shell, ...tools], `${shell}: what is wrong is said in XenStore and to xl, in one sentence`, async () => {
    const cases: [Record<string, string>, RegExp][] = [
      [{ state: '1' }, /^nobody serves .*backend\/vbd\/5\/51712: is the daemon running/],
      [{ state: '6', 'hotplug-error': '-x: no such file', 'hotplug-status': 'error' }, /^-x: no such file$/],
      [{ state: '6', 'hotplug-status': 'error' }, /^xbbd could not attach it/],
      [{ state: '6' }, /^xbbd has closed .* already/],
      [{ state: '2', params: '' }, /^the disk has no target/],
    ]
    for (const [nodes, sentence] of cases) {
      await store.remove(backend)
      await device(nodes)
      const { status, stderr } = await run(shell, 'add')
      expect([status, stderr.replace(/^block-xbbd: /, '').trimEnd()]).toEqual([1, expect.stringMatching(sentence)])
      expect(await node('hotplug-error')).toMatch(sentence)
      expect(await node('hotplug-status')).toBe('error')
    }
  })

  testWith([shell, ...tools], `${shell}: a device that is gone is not made anew by complaining`, async () => {
    expect(await run(shell, 'add')).toMatchObject({ status: 1, stderr: expect.stringMatching(/no target|no device/) as unknown })
    expect(await store.list(backend)).toBeUndefined()
  })

  testWith([shell, ...tools], `${shell}: remove takes nothing down and warns when it comes too early`, async () => {
    expect(await run(shell, 'remove')).toEqual({ status: 0, stderr: '' })
    await device({ state: '6' })
    expect(await run(shell, 'remove')).toEqual({ status: 0, stderr: '' })
    await store.write(`${backend}/state`, '4')
    const early = await run(shell, 'remove')
    expect(early).toMatchObject({ status: 0, stderr: expect.stringMatching(/before xbbd has closed it/) as unknown })
  })

  testWith([shell, ...tools], `${shell}: called by a person`, async () => {
    expect(await run(shell, 'add', '')).toMatchObject({ status: 1, stderr: expect.stringMatching(/is for xl/) as unknown })
    expect((await run(shell, 'change')).status).toBe(64)
  })
}

testWith(['shellcheck'], 'shellcheck has nothing to say', async () => {
  const said = await new Promise<string>((resolve) => execFile('shellcheck', [script], (_error, stdout) => resolve(stdout)))
  expect(said).toBe('')
})
