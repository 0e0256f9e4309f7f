/** Each way to a real guest's pages keeps the copiers' contract; and bytes go through an arena that io_uring knows. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createOpenMediumPort } from '../../../src/io/media/open-port.js'
import { mediumOpener } from '../../../src/io/media/open-medium.js'
import { GntdevCopier, openGntdev } from '../../../src/io/native/gntdev.js'
import { closeDescriptor, mapMemory, owned, unmap, view } from '../../../src/io/native/owners.js'
import { IO_READ, IO_WRITE } from '../../../src/ports/data-path.js'
import { GRANT_MODES, type GrantMode } from '../../../src/ports/host.js'
import { grantsContract, type GrantsWorld } from '../../contract/grants.js'
import { MediumDriver } from '../../contract/medium-driver.js'
import { GuestWorld, NEVER_GRANTED } from './guest-world.js'

let guests: GuestWorld
beforeAll(async () => {
  guests = await GuestWorld.open()
})
afterAll(() => guests.close())

const xenWorld = (mode: GrantMode) => async (): Promise<GrantsWorld> => {
  const peer = await guests.living()
  const before = owned().length
  const granted = new Set<number>()
  let destroyed = false
  return {
    mode,
    neverGranted: NEVER_GRANTED,
    grant(count, writable = true) {
      const grefs = guests.grant(peer, count, writable)
      for (const gref of grefs) granted.add(gref)
      return grefs
    },
    read: (gref) => peer.read(gref),
    write: (gref, bytes) => peer.write(gref, bytes),
    mapped: (grefs) => guests.mapped(peer, grefs),
    revoke(grefs) {
      const taken = guests.revoke(peer, grefs)
      if (taken) for (const gref of grefs) granted.delete(gref)
      return taken
    },
    open(arena, keep) {
      const gntdev = openGntdev()
      const copier = new GntdevCopier(gntdev, arena, peer.domid, mode, keep)
      return {
        copier,
        close() {
          copier.close()
          closeDescriptor(gntdev)
        },
      }
    },
    destroyGuest() {
      destroyed = true
      return guests.destroy()
    },
    close() {
      // The peer's two pages are one mapping.
      expect(owned().length).toBe(before - (destroyed ? 1 : 0))
      if (!destroyed) expect(guests.revoke(peer, [...granted])).toBe(true)
      return Promise.resolve()
    },
  }
}

for (const mode of GRANT_MODES) grantsContract(`xen, ${mode}`, xenWorld(mode))

for (const mode of GRANT_MODES) {
  test(`a domain that never was fails every copy (${mode})`, () => {
    const [gntdev, arena] = [openGntdev(), mapMemory(4096)]
    const copier = new GntdevCopier(gntdev, arena, 0x7000, mode, 8)
    const copies = Int32Array.of(8, 512 << 16, 0, 0, 9, 512 << 16, 0, 1)
    expect(copier.copy(copies, 2)).toBe(2)
    expect([copies[3] < 0, copies[7] < 0]).toEqual([true, true])
    copier.close()
    closeDescriptor(gntdev)
    unmap(arena)
  })

  test(`guest to arena, to a file by io_uring and back (${mode})`, async () => {
    const peer = await guests.living()
    const dir = mkdtempSync('/tmp/grants-')
    const target = `${dir}/disk`
    writeFileSync(target, new Uint8Array(1 << 20))
    const opened = mediumOpener.open({ target, readOnly: false, engine: 'io_uring', depth: 32 })
    if (!opened.ok) throw new Error(opened.error.sentence)
    const { medium } = opened
    const handle = mapMemory(64 * 4096)
    const arena = { bytes: new Uint8Array(view(handle)), handle }
    const clock = { nowNs: () => performance.now() * 1e6, wallMs: () => 0, after: () => () => undefined }
    const port = createOpenMediumPort(clock)(medium.plan, arena)
    const driver = new MediumDriver({ port, arena, geometry: medium.geometry, dispose: () => undefined })
    const gntdev = openGntdev()
    const copier = new GntdevCopier(gntdev, handle, peer.domid, mode, 64)
    const [from, to] = [guests.grant(peer, 16), guests.grant(peer, 16)]
    const page = (seed: number) => Uint8Array.from({ length: 4096 }, (_, at) => (at * 13 + seed * 31) & 0xff)
    from.forEach((gref, index) => peer.write(gref, page(index)))
    const batch = (grefs: readonly number[], first: number, direction: number) => {
      const words = grefs.flatMap((gref, index) => [gref, 4096 << 16, (first + index) * 4096, direction])
      expect(copier.copy(Int32Array.from(words), grefs.length)).toBe(0)
    }
    batch(from, 0, 0)
    const each = (op: number, first: number) =>
      from.map((_, index) => ({ op, at: (first + index) * 4096, length: 4096, offset: index * 4096 }))
    expect(await driver.run(each(IO_WRITE, 0))).toEqual(Array(16).fill(4096))
    expect(await driver.run(each(IO_READ, 32))).toEqual(Array(16).fill(4096))
    batch(to, 32, 1)
    const wrong = to.filter((gref, index) => Buffer.compare(peer.read(gref), page(index)) !== 0)
    expect(wrong).toEqual([])
    copier.close()
    closeDescriptor(gntdev)
    driver.close()
    medium.close()
    unmap(handle)
    rmSync(dir, { recursive: true })
    expect(guests.revoke(peer, [...from, ...to])).toBe(true)
  })
}
