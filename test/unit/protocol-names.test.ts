import { backendPath, backendRoot, deviceOfPath, frontendPath } from '../../src/protocol/keys.js'
import { parseDomid, parseMode, parseSwitch } from '../../src/protocol/parse.js'
import { parseVdev, vdevName } from '../../src/protocol/vdev.js'
import { XENBUS_STATES, parseXenbusState, xenbusStateValue } from '../../src/protocol/xenbus-state.js'
import { u64High, u64Low, u64ToDouble, u64ToString } from '../../src/protocol/u64.js'

test('S28: every XenbusState is read back as written; a vanished node is Unknown', () => {
  for (const state of XENBUS_STATES) expect(parseXenbusState(xenbusStateValue(state))).toEqual({ ok: true, state })
  expect(XENBUS_STATES.indexOf('Connected')).toBe(4)
  expect(XENBUS_STATES.indexOf('Closed')).toBe(6)
  for (const value of [undefined, '', ' ']) expect(parseXenbusState(value)).toEqual({ ok: true, state: 'Unknown' })
})

test('S28: what is no state is a sentence, not some state', () => {
  for (const value of ['9', '-1', '4x', '04', '1.0', 'Connected']) {
    const result = parseXenbusState(value)
    expect(result).toMatchObject({ ok: false })
    expect(result.ok ? '' : result.sentence).toContain(JSON.stringify(value))
  }
})

test('S3: mode is read-only unless it says w, and unknown modes are refused', () => {
  const readOnlyOf = (value: string | undefined) => {
    const mode = parseMode(value)
    return mode.ok ? mode.value.readOnly : mode.sentence
  }
  for (const value of ['r', 'ro', undefined, '']) expect(readOnlyOf(value)).toBe(true)
  for (const value of ['w', 'rw', 'w!']) expect(readOnlyOf(value)).toBe(false)
  for (const value of ['W', 'rwx', 'new', 'shadow']) expect(parseMode(value)).toMatchObject({ ok: false })
})

test('a domid is one that can own grants', () => {
  expect(parseDomid('0')).toEqual({ ok: true, value: 0 })
  expect(parseDomid('32751')).toEqual({ ok: true, value: 32751 })
  expect(parseDomid('32752')).toMatchObject({ ok: false, sentence: 'frontend-id is "32752", but the limit is 32751' })
  for (const value of [undefined, '', '-1', 'self']) expect(parseDomid(value).ok).toBe(false)
})

test('switches are 0 or 1', () => {
  expect(parseSwitch('online', undefined, true)).toEqual({ ok: true, value: true })
  expect(parseSwitch('online', '0', true)).toEqual({ ok: true, value: false })
  expect(parseSwitch('online', '2', true)).toMatchObject({ ok: false, sentence: 'online is "2", but it may be 0 or 1' })
})

test.each([
  ['xvda', 51712], ['xvdb', 51728], ['xvda1', 51713], ['xvdp15', 51967], ['xvdq', (1 << 28) | (16 << 8)],
  ['xvda16', (1 << 28) | 16], ['xvdaa', (1 << 28) | (26 << 8)], ['sda', 2048], ['sdb1', 2065],
  ['hda', 768], ['hdb3', 835], ['hdc', 5632], ['hdd', 5696],
])('%s is virtual device %d and back', (name, vdev) => {
  expect(parseVdev(name)).toEqual({ ok: true, value: vdev })
  expect(vdevName(vdev)).toBe(name)
  expect(parseVdev(String(vdev))).toEqual({ ok: true, value: vdev })
  expect(parseVdev(`0x${vdev.toString(16)}`)).toEqual({ ok: true, value: vdev })
})

test('d1p2 counts disks in numbers', () => {
  expect(parseVdev('d1p2')).toEqual({ ok: true, value: 51730 })
  expect(parseVdev('d0')).toEqual({ ok: true, value: 51712 })
  expect(parseVdev('d16')).toEqual({ ok: true, value: (1 << 28) | (16 << 8) })
})

test('names that number nothing are a sentence', () => {
  const names = ['', 'xvd', 'sdq', 'sda16', 'hde', 'hda64', 'xvda256', 'sda-1', 'd9999999', '536870912', '0x20000000']
  for (const name of names)
    expect(parseVdev(name)).toMatchObject({ ok: false })
  expect(vdevName(0)).toBeUndefined()
  expect(vdevName((3 << 8) | 200)).toBeUndefined()
})

test('every named device is numbered uniquely and read back', () => {
  const seen = new Map<number, string>()
  const letters = 'abcdefghijklmnopqrstuvwxyz'.split('')
  for (const family of ['xvd', 'sd', 'hd'])
    for (const letter of letters)
      for (let partition = 0; partition < 64; partition += 1) {
        const name = `${family}${letter}${partition || ''}`
        const parsed = parseVdev(name)
        if (!parsed.ok) continue
        expect(seen.get(parsed.value)).toBeUndefined()
        seen.set(parsed.value, name)
        expect(vdevName(parsed.value)).toBe(name)
      }
  expect(seen.size).toBe(26 * 64 + 16 * 16 + 4 * 64)
})

test('paths name their device', () => {
  expect(backendPath(0, 'vbd', 5, 51712)).toBe('/local/domain/0/backend/vbd/5/51712')
  expect(frontendPath(5, 51712)).toBe('/local/domain/5/device/vbd/51712')
  const root = backendRoot(0, 'vbd')
  expect(deviceOfPath(`${root}/5/51712/state`, root)).toEqual({ domid: 5, devid: 51712 })
  expect(deviceOfPath(`${root}/5/51712`, root)).toEqual({ domid: 5, devid: 51712 })
  for (const path of [root, `${root}/5`, `${root}/5/x`, '/local/domain/0/backend/vbd2/5/51712', `${root}/5/51712x`])
    expect(deviceOfPath(path, root)).toBeUndefined()
})

test('64-bit numbers as two words', () => {
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 44 - 1, 2 ** 53 - 1])
    expect(u64ToDouble(u64Low(value), u64High(value))).toBe(value)
  expect(u64ToString(-1, -1)).toBe('18446744073709551615')
})
