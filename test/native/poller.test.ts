import { embeddedDataPath } from '../../src/embedded/data-path.js'
import { closeDescriptor, owned } from '../../src/io/native/owners.js'
import { Poller } from '../../src/io/native/poller.js'
import { eventfdCreate, eventfdRead, eventfdWrite } from '../../src/io/native/shm.js'

const failing = (code: string) => expect.objectContaining({ code }) as Error
/** Several turns of the event loop: long enough for anything that is ready. */
const turns = async () => {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve, 1))
}

let before = 0
beforeEach(() => {
  before = owned().length
})
afterEach(() => {
  expect(owned().length).toBe(before)
})

test('mode eventfd: one call for all that was counted, drained before it', async () => {
  const event = eventfdCreate()
  const left: number[] = []
  const poller = new Poller(event, 'eventfd', () => left.push(eventfdRead(event)))
  for (let i = 0; i < 5; i++) eventfdWrite(event)
  await turns()
  expect(left).toEqual([0])
  eventfdWrite(event)
  await turns()
  expect(left).toEqual([0, 0])
  poller.close()
  closeDescriptor(event)
})

test('mode plain calls until the descriptor is read', async () => {
  const event = eventfdCreate()
  let calls = 0
  const poller = new Poller(event, 'plain', () => {
    if (++calls === 3) eventfdRead(event)
  })
  eventfdWrite(event)
  await turns()
  expect(calls).toBe(3)
  poller.close()
  closeDescriptor(event)
})

test('mode channel stays masked until unmask, and forgets nothing meanwhile', async () => {
  const event = eventfdCreate()
  let calls = 0
  const poller = new Poller(event, 'channel', () => calls++)
  eventfdWrite(event)
  await turns()
  eventfdWrite(event)
  await turns()
  eventfdWrite(event)
  await turns()
  expect(calls).toBe(1)
  poller.unmask()
  expect(calls).toBe(1)
  await turns()
  expect(calls).toBe(2)
  poller.unmask()
  await turns()
  expect(calls).toBe(2)
  poller.close()
  closeDescriptor(event)
})

test('pause holds back, resume delivers', async () => {
  const event = eventfdCreate()
  let calls = 0
  const poller = new Poller(event, 'eventfd', () => calls++, true)
  eventfdWrite(event)
  await turns()
  expect(calls).toBe(0)
  poller.resume()
  await turns()
  expect(calls).toBe(1)
  poller.pause()
  eventfdWrite(event)
  await turns()
  expect(calls).toBe(1)
  poller.close()
  closeDescriptor(event)
})

test('a polled descriptor cannot be closed, nor polled twice; a closed poller calls no more', async () => {
  const event = eventfdCreate()
  let calls = 0
  const poller = new Poller(event, 'eventfd', () => calls++)
  expect(() => closeDescriptor(event)).toThrow(failing('EBUSY'))
  expect(() => new Poller(event, 'eventfd', () => calls++)).toThrow(failing('EEXIST'))
  eventfdWrite(event)
  poller.close()
  poller.close()
  expect(() => poller.pause()).toThrow(failing('EBADF'))
  closeDescriptor(event)
  await turns()
  expect(calls).toBe(0)
  expect(() => new Poller(event, 'eventfd', () => calls++)).toThrow(failing('EBADF'))
})

test('a poller may be closed, with its descriptor, inside its own callback', async () => {
  const event = eventfdCreate()
  let calls = 0
  const poller = new Poller(event, 'plain', () => {
    calls++
    poller.close()
    closeDescriptor(event)
  })
  eventfdWrite(event)
  await turns()
  expect(calls).toBe(1)
})

test('a channel of the embedded data path: heard once per wake-up, notify counts up at the other side', async () => {
  const [mine, theirs] = [eventfdCreate(), eventfdCreate()]
  const plan = { world: 'embedded', domid: 1, port: 3, eventHandle: mine, notifyHandle: theirs } as const
  const port = embeddedDataPath(0).openChannel(plan)
  eventfdWrite(mine)
  await turns()
  let calls = 0
  port.onNotified(() => calls++)
  await turns()
  expect(calls).toBe(1)
  port.notify()
  port.notify()
  expect(eventfdRead(theirs)).toBe(2)
  eventfdWrite(mine)
  await turns()
  expect(calls).toBe(1)
  port.unmask()
  await turns()
  expect(calls).toBe(2)
  port.close()
  expect(() => embeddedDataPath(0).openChannel({ ...plan, world: 'xen' })).toThrow('world xen')
  closeDescriptor(mine)
  closeDescriptor(theirs)
})
