/** The pocket host's copier keeps the contract, in the one way that it has. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embeddedDataPath } from '../../src/embedded/data-path.js'
import { GuestDomain } from '../../src/embedded/guest/guest-domain.js'
import { GTF_READING, GTF_WRITING } from '../../src/embedded/guest/grant-table.js'
import type { PageRun } from '../../src/embedded/guest/guest.js'
import { EmbeddedHostClient } from '../../src/embedded/host-client.js'
import { runHost } from '../../src/embedded/host/main.js'
import { owned, view } from '../../src/io/native/owners.js'
import { grantsContract, type GrantsWorld } from './grants.js'

async function embeddedWorld(): Promise<GrantsWorld> {
  const before = owned().map(({ handle }) => handle)
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-contract-'))
  const host = await runHost({ dir })
  const guest = await GuestDomain.create({ dir, name: 'guest', pages: 128, grantEntries: 512 })
  const client = EmbeddedHostClient.connect(dir)
  const runs = new Map<number, PageRun>()
  const opened = await client.openGrants(guest.domid, 'copy')
  if (!opened.ok) throw new Error(opened.sentence)
  let alive = true
  const { table } = guest.grants
  const mapped = (grefs: readonly number[]) =>
    grefs.filter((gref) => ((table.look(gref)?.flags ?? 0) & (GTF_READING | GTF_WRITING)) !== 0)
  const runOf = (gref: number): PageRun => {
    const run = runs.get(gref)
    if (!run) throw new Error(`${gref} was not granted here`)
    return run
  }
  return {
    mode: 'copy',
    neverGranted: 500,
    grant: (count, writable = true) =>
      Array.from({ length: count }, () => {
        const run = guest.memory.allocate(1)
        run.bytes.fill(0)
        const gref = guest.grants.claim(1)
        table.grant(gref, 0, run.frame, !writable)
        runs.set(gref, run)
        return gref
      }),
    read: (gref) => runOf(gref).bytes.slice(),
    write: (gref, bytes) => runOf(gref).bytes.set(bytes),
    mapped,
    revoke: (grefs) => mapped(grefs).length === 0 && grefs.every((gref) => table.revoke(gref)),
    open(arena) {
      const copier = embeddedDataPath(0).openGrants(opened.plan, { bytes: new Uint8Array(view(arena)), handle: arena })
      return { copier, close: () => copier.close() }
    },
    async destroyGuest() {
      alive = false
      guest.close()
      for (;;) {
        const outcome = await client.bindChannel(guest.domid, 1)
        if (!outcome.ok && outcome.code === 'ENOENT') return
      }
    },
    async close() {
      if (alive) guest.close()
      await client.close()
      await host.close()
      rmSync(dir, { recursive: true })
      expect(owned().map(({ handle }) => handle)).toEqual(before)
    },
  }
}

grantsContract('embedded', embeddedWorld)
