import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sendDatagram } from '../../src/io/native/notify.js'
import { codeOf } from '../../src/protocol/errors.js'
import { NotifyReceiver } from '../support/notify-receiver.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-notify-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const codeFrom = (call: () => unknown) => {
  try {
    return call()
  } catch (error) {
    return codeOf(error)
  }
}

test.each([join(dir, 'notify'), `@xbbd-test-${process.pid}`])('one datagram arrives whole at %s', async (address) => {
  const receiver = await NotifyReceiver.listen(address)
  expect(sendDatagram(address, 'READY=1\nSTATUS=zwei Platten: größer')).toBe(true)
  await receiver.message({ READY: '1' })
  expect(receiver.messages).toEqual([{ READY: '1', STATUS: 'zwei Platten: größer' }])
  await receiver.close()
})

test('the longest path that a socket can have is an address, one byte more is none', async () => {
  const longest = join(dir, 'n'.repeat(107 - dir.length - 1))
  const receiver = await NotifyReceiver.listen(longest)
  expect(sendDatagram(longest, 'READY=1')).toBe(true)
  await receiver.message({ READY: '1' })
  await receiver.close()
  expect(codeFrom(() => sendDatagram(`${longest}n`, 'READY=1'))).toBe('ENAMETOOLONG')
})

test('nobody there, nothing to say, a text that no datagram holds', () => {
  expect(codeFrom(() => sendDatagram(join(dir, 'nobody'), 'READY=1'))).toBe('ENOENT')
  expect(codeFrom(() => sendDatagram('@xbbd-nobody', 'READY=1'))).toBe('ECONNREFUSED')
  for (const text of ['', 'x'.repeat(4096), 'a\0b']) expect(codeFrom(() => sendDatagram(dir, text))).toBe('EINVAL')
  expect(codeFrom(() => sendDatagram('@', 'READY=1'))).toBe('ENAMETOOLONG')
})

test('a receiver that does not read is not waited for', async () => {
  const receiver = await NotifyReceiver.listen(join(dir, 'deaf'), 'deaf')
  const sent = Array.from({ length: 5000 }, () => sendDatagram(receiver.address, 'WATCHDOG=1'))
  expect(sent[0]).toBe(true)
  expect(sent.at(-1)).toBe(false)
  await receiver.close()
})
