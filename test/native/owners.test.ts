import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  adopt, closeDescriptor, descriptorOf, duplicate, giveBack, map, mapMemory, owned, unmap, view,
} from '../../src/io/native/owners.js'
import {
  eventfdCreate, eventfdRead, eventfdWrite, memfdCreate, memfdSize,
} from '../../src/io/native/shm.js'

const failing = (code: string) => expect.objectContaining({ code }) as Error
let scratch = ''
let before = 0
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'xbbd-owners-'))
  before = owned().length
})
afterEach(() => {
  rmSync(scratch, { recursive: true })
  expect(owned().length).toBe(before)
})

test('memory is zeroed, seen through one ArrayBuffer, and listed', () => {
  const handle = mapMemory(8192)
  const bytes = new Uint8Array(view(handle))
  expect(bytes.length).toBe(8192)
  expect(bytes.some((byte) => byte !== 0)).toBe(false)
  expect(view(handle)).toBe(bytes.buffer)
  expect(owned().find((entry) => entry.handle === handle)).toEqual({
    handle, kind: 'mapping', label: 'memory', bytes: 8192, borrows: 1,
  })
  unmap(handle)
})

test('unmapping detaches: a stale array is empty and reads undefined', () => {
  const handle = mapMemory(4096)
  const bytes = new Uint8Array(view(handle))
  const data = new DataView(view(handle))
  unmap(handle)
  expect([bytes.length, bytes.buffer.byteLength, bytes[0]]).toEqual([0, 0, undefined])
  expect(() => data.getUint8(0)).toThrow('detached')
  expect(() => view(handle)).toThrow(failing('EBADF'))
  expect(() => unmap(handle)).toThrow(failing('EBADF'))
})

test('giving back detaches too, and the memory can be seen again', () => {
  const handle = mapMemory(4096)
  const first = new Uint8Array(view(handle))
  first[7] = 42
  giveBack(handle)
  expect(first.length).toBe(0)
  expect(() => giveBack(handle)).toThrow(failing('EBADF'))
  expect(new Uint8Array(view(handle))[7]).toBe(42)
  unmap(handle)
})

test('a view cannot be posted away', () => {
  const handle = mapMemory(4096)
  const buffer = view(handle)
  try {
    // Node 20 copies instead, later versions throw.
    expect(structuredClone(buffer, { transfer: [buffer] })).not.toBe(buffer)
  } catch (error) {
    expect((error as Error).name).toBe('DataCloneError')
  }
  expect(buffer.byteLength).toBe(4096)
  unmap(handle)
})

test('a handle is never given twice', () => {
  const one = mapMemory(4096)
  unmap(one)
  const two = mapMemory(4096)
  expect(two).toBeGreaterThan(one)
  unmap(two)
})

test('a file is mapped shared when writable, and privately otherwise', () => {
  const path = join(scratch, 'file')
  writeFileSync(path, Buffer.alloc(8192, 1))
  const file = adopt(openSync(path, 'r+'))
  const shared = map(file, 4096, 4096, true)
  const privately = map(file, 8192, 0, false)
  closeDescriptor(file)
  new Uint8Array(view(shared))[0] = 9
  const seen = new Uint8Array(view(privately))
  expect([seen[4095], seen[4096]]).toEqual([1, 9])
  seen[0] = 77
  expect([readFileSync(path)[0], readFileSync(path)[4096]]).toEqual([1, 9])
  unmap(shared)
  unmap(privately)
})

test('nothing is mapped beyond a file, off a page, or of no length', () => {
  const path = join(scratch, 'file')
  writeFileSync(path, Buffer.alloc(8192))
  const file = adopt(openSync(path, 'r+'))
  for (const [length, offset] of [[8193, 0], [4097, 4096], [1, 8192], [0, 0], [4096, 100], [-1, 0], [NaN, 0], [0.5, 0]])
    expect(() => map(file, length, offset, true)).toThrow(failing('EINVAL'))
  expect(() => map(file, 4096, 0, undefined as unknown as boolean)).toThrow(failing('EINVAL'))
  expect(() => map(file + 999, 4096, 0, true)).toThrow(failing('EBADF'))
  closeDescriptor(file)
  expect(() => mapMemory(0)).toThrow(failing('EINVAL'))
})

test('descriptors are adopted, duplicated, closed once', () => {
  const number = openSync(join(scratch, 'f'), 'w')
  const handle = adopt(number)
  expect(descriptorOf(handle)).toBe(number)
  const twin = duplicate(handle)
  closeDescriptor(handle)
  expect(() => closeDescriptor(handle)).toThrow(failing('EBADF'))
  expect(() => descriptorOf(handle)).toThrow(failing('EBADF'))
  expect(() => { closeSync(number) }).toThrow(failing('EBADF'))
  ftruncateSync(descriptorOf(twin), 10_000)
  expect(readFileSync(join(scratch, 'f')).length).toBe(10_000)
  closeDescriptor(twin)
  expect(() => adopt(1_000_000)).toThrow(failing('EBADF'))
  expect(() => adopt(-1)).toThrow(failing('EINVAL'))
})

test('B31: a mapping is no descriptor and a descriptor no mapping', () => {
  const memory = mapMemory(4096)
  const event = eventfdCreate()
  expect(() => closeDescriptor(memory)).toThrow(failing('EBADF'))
  expect(() => unmap(event)).toThrow(failing('EBADF'))
  expect(() => view(event)).toThrow(failing('EBADF'))
  expect(() => view(0)).toThrow(failing('EBADF'))
  closeDescriptor(event)
  unmap(memory)
})

test('a memfd is sealed and its size known; an unsealed one is refused', () => {
  const sealed = memfdCreate('test', 8192, { allocate: true })
  expect(memfdSize(sealed)).toBe(8192)
  const growing = memfdCreate('test', 4096, { sealGrow: false })
  ftruncateSync(descriptorOf(growing), 12_288)
  expect(memfdSize(growing)).toBe(12_288)
  const open = memfdCreate('test', 8192, { sealShrink: false, sealGrow: false })
  expect(() => memfdSize(open)).toThrow(failing('EPERM'))
  const file = adopt(openSync(join(scratch, 'f'), 'w'))
  expect(() => memfdSize(file)).toThrow(failing('EPERM'))
  expect(() => { ftruncateSync(descriptorOf(sealed), 16_384) }).toThrow(failing('EPERM'))
  for (const handle of [sealed, growing, open, file]) closeDescriptor(handle)
  expect(() => memfdCreate('', 0)).toThrow(failing('EINVAL'))
  expect(() => memfdCreate('x'.repeat(300), 4096)).toThrow(failing('EINVAL'))
})

test('two mappings of one memfd are one memory', () => {
  const memfd = memfdCreate('test', 4096)
  const one = map(memfd, 4096, 0, true)
  const two = map(memfd, 4096, 0, true)
  closeDescriptor(memfd)
  new Uint8Array(view(one))[100] = 5
  expect(new Uint8Array(view(two))[100]).toBe(5)
  unmap(one)
  unmap(two)
})

test('an eventfd counts what is written until it is read', () => {
  const event = eventfdCreate()
  expect(eventfdRead(event)).toBe(0)
  eventfdWrite(event)
  eventfdWrite(event)
  expect(eventfdRead(event)).toBe(2)
  expect(eventfdRead(event)).toBe(0)
  closeDescriptor(event)
  expect(() => { eventfdWrite(event) }).toThrow(failing('EBADF'))
  expect(() => eventfdRead(event)).toThrow(failing('EBADF'))
})
