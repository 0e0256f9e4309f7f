/** What an old and a new process say to each other: in turns, bounded, and a peer's end is an end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Dialogue, failedWord } from '../../src/cli/upgrade/dialogue.js'
import { XbbdError } from '../../src/protocol/errors.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-dialogue-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
let pairs = 0

async function pair(): Promise<{ one: Dialogue; other: Dialogue; raw: Socket }> {
  const path = join(dir, `s${++pairs}`)
  const server = createServer()
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const raw = connect(path)
  const socket = await accepted
  server.close()
  return { one: new Dialogue(socket), other: new Dialogue(raw), raw }
}

test('words come in turns, also those that were said before anyone listened', async () => {
  const { one, other } = await pair()
  one.say({ say: 'here', version: '1', build: 'b', pid: 7 })
  one.say({ say: 'warm' })
  expect(await other.hear('here', 5000)).toEqual({ say: 'here', version: '1', build: 'b', pid: 7 })
  expect(await other.hear('warm', 5000)).toEqual({ say: 'warm' })
  other.end()
  await one.ended
})

test('another word than the one that must come, none in time, an end, nonsense: each is an error that says so', async () => {
  const { one, other, raw } = await pair()
  one.say({ say: 'ready' })
  await expect(other.hear('warm', 5000)).rejects.toThrow('said «ready» where «warm» was to come')
  await expect(other.hear('warm', 10)).rejects.toThrow('said nothing within 0 s')
  raw.write('no word\n')
  await expect(one.hear('warm', 5000)).rejects.toThrow('the other process ended where «warm» was to come')
  await expect(other.hear('warm', 5000)).rejects.toThrow('ended')
  await Promise.all([one.ended, other.ended])
})

test('a failure is passed on as it is, with its exit status', async () => {
  const { one, other } = await pair()
  one.say(failedWord(new XbbdError('XBBD_CONFIG', 'the configuration has a problem', { exitCode: 78 })))
  await expect(other.hear('here', 5000)).rejects.toMatchObject({ message: 'the configuration has a problem', exitCode: 78 })
  one.end()
  await other.ended
})
