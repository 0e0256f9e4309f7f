/**
 * The directory of a device that was removed and made anew, under the same name: what the device before it still had to
 * say is not written there.
 */
import { BackendDirectory } from '../../src/actors/xenbus/backend-directory.js'
import type { XenStore, XenStoreOps } from '../../src/ports/xenstore.js'

const PATH = '/local/domain/0/backend/vbd/5/51712'

/** A XenStore of one directory; `between`: what happens between a transaction's first attempt and its second. */
function bench(between?: () => void) {
  const nodes = new Map([[`${PATH}/state`, '1'], [`${PATH}/online`, '1']])
  const ops = {
    read: (path: string) => Promise.resolve(nodes.get(path)),
    write: (path: string, value: string) => Promise.resolve(void nodes.set(path, value)),
    list: () => Promise.resolve([...nodes.keys()]),
  } as unknown as XenStoreOps
  let refused = between === undefined
  const transaction = async (body: (ops: XenStoreOps) => Promise<unknown>) => {
    if (!refused) {
      refused = true
      const kept = [...nodes]
      await body(ops)
      for (const [path, value] of kept) nodes.set(path, value)
      between?.()
    }
    return body(ops)
  }
  const directory = new BackendDirectory({ ...ops, transaction } as unknown as XenStore, PATH)
  return { directory, state: () => nodes.get(`${PATH}/state`), set: (value: string) => void nodes.set(`${PATH}/state`, value) }
}

test('a directory that says Initialising after we had said more is another’s: nothing is written there', async () => {
  const { directory, state, set } = bench()
  await directory.read()
  expect(await directory.switchState('InitWait')).toBe(true)
  expect(state()).toBe('2')
  set('1')
  expect(await directory.switchState('Closed')).toBe(false)
  expect(state()).toBe('1')
  // A toolstack that asks for the end is answered.
  set('5')
  expect(await directory.switchState('Closed')).toBe(true)
  expect(state()).toBe('6')
})

test('a write that is under way when its device ends is let be, also when it had said nothing yet', async () => {
  const { directory, state } = bench(() => { directory.leave() })
  await directory.read()
  expect(await directory.switchState('Closed')).toBe(false)
  expect(state()).toBe('1')
})
