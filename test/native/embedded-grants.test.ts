import {
  EmbeddedGrantCopier, GRANT_ENTRY_BYTES, GTF_permit_access, GTF_readonly,
} from '../../src/io/native/embedded-grants.js'
import { mapMemory, owned, unmap, view } from '../../src/io/native/owners.js'

const PAGE = 4096
const OWN = 0
const failing = (code: string) => expect.objectContaining({ code }) as Error

/** A guest of eight pages, a table of one page, an arena of two; gref n grants frame n % 8 to us unless changed. */
function guest() {
  const memory = mapMemory(8 * PAGE)
  const table = mapMemory(PAGE)
  const arena = mapMemory(2 * PAGE)
  const copier = new EmbeddedGrantCopier(memory, table, arena, OWN)
  const entries = new DataView(view(table))
  const grant = (gref: number, frame: number, flags: number = GTF_permit_access, domid = OWN) => {
    entries.setUint16(gref * GRANT_ENTRY_BYTES, flags, true)
    entries.setUint16(gref * GRANT_ENTRY_BYTES + 2, domid, true)
    entries.setUint32(gref * GRANT_ENTRY_BYTES + 4, frame, true)
  }
  for (let gref = 0; gref < 8; gref++) grant(gref, gref)
  const close = () => {
    copier.close()
    for (const handle of [memory, table, arena]) unmap(handle)
  }
  /** One copy: [status, how many failed]. */
  const copy = (gref: number, offset: number, length: number, place: number, direction: number) => {
    const copies = Int32Array.of(gref, offset | (length << 16), place, direction)
    const failed = copier.copy(copies, 1)
    return [copies[3], failed]
  }
  const handles = { memory, table, arena }
  return { copier, grant, copy, close, memory: new Uint8Array(view(memory)), arena: new Uint8Array(view(arena)), handles }
}

let before = 0
beforeEach(() => {
  before = owned().length
})
afterEach(() => {
  expect(owned().length).toBe(before)
})

test('a batch moves just the bytes that were named, both ways', () => {
  const { copier, memory, arena, close } = guest()
  for (let i = 0; i < memory.length; i++) memory[i] = (i * 7) & 0xff
  arena.fill(0xee)
  const copies = Int32Array.of(3, 512 | (1024 << 16), 100, 0, 5, 0 | (4096 << 16), 4096, 1, 1, 4095 | (1 << 16), 0, 0)
  const guestBefore = memory.slice()
  expect(copier.copy(copies, 3)).toBe(0)
  expect([copies[3], copies[7], copies[11]]).toEqual([0, 0, 0])
  expect(arena.slice(100, 1124)).toEqual(guestBefore.slice(3 * PAGE + 512, 3 * PAGE + 1536))
  expect([arena[0], arena[1], arena[99], arena[1124]]).toEqual([guestBefore[PAGE + 4095], 0xee, 0xee, 0xee])
  expect(memory.slice(0, 5 * PAGE)).toEqual(guestBefore.slice(0, 5 * PAGE))
  expect(new Set(memory.slice(5 * PAGE, 6 * PAGE))).toEqual(new Set([0xee]))
  expect(memory.slice(6 * PAGE)).toEqual(guestBefore.slice(6 * PAGE))
  close()
})

test('what the guest did not permit fails alone, with its status, and moves nothing', () => {
  const { copier, copy, grant, memory, arena, close } = guest()
  memory.fill(1)
  grant(10, 2, 0)
  grant(11, 2, 2)
  grant(12, 2, 3)
  grant(13, 2, GTF_permit_access, OWN + 1)
  grant(14, 2, GTF_permit_access | GTF_readonly)
  grant(15, 8)
  grant(16, 0xffffffff)
  for (const gref of [9, 10, 11, 12, 13, 512, 0x1fffffff, -1])
    expect([gref, copy(gref, 0, 512, 0, 0)]).toEqual([gref, [-3, 1]])
  expect(copy(14, 0, 512, 0, 1)).toEqual([-1, 1])
  expect(copy(15, 0, 512, 0, 0)).toEqual([-1, 1])
  expect(copy(16, 0, 512, 0, 0)).toEqual([-1, 1])
  expect(arena.some((byte) => byte !== 0)).toBe(false)
  expect(memory.every((byte) => byte === 1)).toBe(true)
  expect(copy(14, 0, 512, 0, 0)).toEqual([0, 0])
  const copies = Int32Array.of(0, 512 << 16, 0, 0, 9, 512 << 16, 0, 0, 7, 512 << 16, 0, 0)
  expect(copier.copy(copies, 3)).toBe(1)
  expect([copies[3], copies[7], copies[11]]).toEqual([0, -3, 0])
  close()
})

test('nothing is moved over the end of a page or of the arena', () => {
  const { copy, arena, memory, close } = guest()
  memory.fill(1)
  for (const [offset, length, place] of [
    [4096, 1, 0], [1, 4096, 0], [4095, 2, 0], [0, 0xffff, 0], [0xffff, 0xffff, 0], [0, 2, 2 * PAGE - 1],
    [0, 1, 2 * PAGE], [0, 1, -1], [0, 4096, 0x7fffffff],
  ])
    expect([offset, length, place, copy(0, offset, length, place, 0)]).toEqual([offset, length, place, [-1, 1]])
  expect(copy(0, 0, 8, 0, 2)).toEqual([-1, 1])
  expect(copy(0, 0, 8, 0, -1)).toEqual([-1, 1])
  expect(arena.some((byte) => byte !== 0)).toBe(false)
  expect(copy(0, 4095, 1, 2 * PAGE - 1, 0)).toEqual([0, 0])
  expect(copy(0, 4096, 0, 2 * PAGE, 0)).toEqual([0, 0])
  expect(arena[2 * PAGE - 1]).toBe(1)
  close()
})

test('a count beyond the array, or no Int32Array, is refused', () => {
  const { copier, close } = guest()
  expect(() => copier.copy(new Int32Array(7), 2)).toThrow(failing('EINVAL'))
  expect(() => copier.copy(new Int32Array(4), 2 ** 30)).toThrow(failing('EINVAL'))
  expect(() => copier.copy(new Float64Array(4) as unknown as Int32Array, 1)).toThrow(failing('EINVAL'))
  expect(copier.copy(new Int32Array(0), 0)).toBe(0)
  close()
})

test('an open copier keeps all three mappings, and one that could not open keeps none', () => {
  const { handles, copier, close } = guest()
  for (const handle of Object.values(handles)) expect(() => { unmap(handle) }).toThrow(failing('EBUSY'))
  expect(() => new EmbeddedGrantCopier(handles.memory, handles.table, 0, 0)).toThrow(failing('EBADF'))
  expect(() => new EmbeddedGrantCopier(handles.memory, handles.table, handles.arena, 70_000)).toThrow(failing('EINVAL'))
  copier.close()
  copier.close()
  expect(() => copier.copy(new Int32Array(4), 1)).toThrow(failing('EBADF'))
  close()
})
