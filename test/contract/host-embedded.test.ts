/** The pocket host keeps what crash recovery rests on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GuestDomain } from '../../src/embedded/guest/guest-domain.js'
import type { GuestPort } from '../../src/embedded/guest/guest.js'
import { EmbeddedHostClient } from '../../src/embedded/host-client.js'
import { runHost } from '../../src/embedded/host/main.js'
import { packageRoot } from '../../src/io/native/load.js'
import { owned, view } from '../../src/io/native/owners.js'
import { eventfdRead } from '../../src/io/native/shm.js'
import { connectXenStore } from '../../src/io/xenstore/client.js'
import { hostContract, type ContractWorld } from './host.js'

/** The table of owners is the process's, and other test files may have run in it. */
const handles = () => owned().map((entry) => entry.handle).sort((a, b) => a - b)

async function embeddedWorld(): Promise<ContractWorld> {
  const before = handles()
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-contract-'))
  const host = await runHost({ dir })
  const guest = await GuestDomain.create({ dir, name: 'guest', pages: 64, grantEntries: 512 })
  const store = await connectXenStore(host.xenstorePath)
  const ports: GuestPort[] = []
  const hosts: EmbeddedHostClient[] = []
  let alive = true
  const destroyGuest = async () => {
    if (!alive) return
    alive = false
    const gone = new Promise<void>((resolve) => {
      void store.watch('@releaseDomain', () => {
        void store.isDomainIntroduced(guest.domid).then((there) => !there && resolve())
      })
    })
    await Promise.all(ports.map((port) => port.close()))
    guest.close()
    await gone
  }
  return {
    domid: guest.domid,
    neverGranted: 500,
    openHost() {
      const client = EmbeddedHostClient.connect(dir)
      hosts.push(client)
      return Promise.resolve(client)
    },
    grantPages(count) {
      const run = guest.memory.allocate(count)
      const first = guest.grants.claim(count)
      guest.grants.grantRun(first, 0, run)
      const grefs = Array.from({ length: count }, (_, index) => first + index)
      return { grefs, words: run.words, revoke: () => grefs.every((gref) => guest.grants.table.revoke(gref)) }
    },
    async offerPort() {
      const port = await guest.allocatePort(0)
      ports.push(port)
      return port
    },
    ringWords: (plan) => new Int32Array(view(plan.ringHandle)),
    pending: (plan) => eventfdRead(plan.eventHandle) > 0,
    async runAndKillBackend(grefs, port) {
      const script = join(packageRoot(), 'dist/test/contract/host-child.js')
      const child = spawn(process.execPath, [script, dir, String(guest.domid), String(port), ...grefs.map(String)])
      const [said] = (await once(child.stdout, 'data')) as [Buffer]
      expect(String(said)).toBe('ready\n')
      child.kill('SIGKILL')
      await once(child, 'close')
    },
    readNode: () => store.read('/contract'),
    destroyGuest,
    async close() {
      await Promise.all(hosts.map((client) => client.close()))
      await destroyGuest()
      store.close()
      await host.close()
      rmSync(dir, { recursive: true })
      expect(handles()).toEqual(before)
    },
  }
}

hostContract('embedded', embeddedWorld)

test('one host per directory; a dead one leaves nothing in the way', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-contract-'))
  const first = await runHost({ dir })
  await expect(runHost({ dir })).rejects.toMatchObject({ code: 'XBBD_HOST_RUNS', exitCode: 69 })
  await first.close()
  const second = await runHost({ dir })
  await second.close()
  expect(() => EmbeddedHostClient.connect(dir)).toThrow(/no embedded host/)
  rmSync(dir, { recursive: true })
})
