/**
 * @packageDocumentation
 * The XenBus dance of a front end that makes its ring itself: its keys, Initialised, and Connected once the back end is.
 */
import type { XenStore } from '../src/ports/xenstore.js'
import { xenbusStateValue } from '../src/protocol/xenbus-state.js'

const PATIENCE = 400

/** Rejects when the back end is not Connected after twenty seconds. */
export async function connectFront(
  store: XenStore, frontend: string, { grefs, port }: { readonly grefs: readonly number[]; readonly port: number },
): Promise<void> {
  const backend = await store.read(`${frontend}/backend`) ?? ''
  const reaches = async (wanted: string) => {
    for (let look = 0; look < PATIENCE; look++) {
      if (await store.read(`${backend}/state`) === wanted) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${backend}/state does not become ${wanted}`)
  }
  await reaches(xenbusStateValue('InitWait'))
  const keys = {
    'ring-page-order': String(Math.log2(grefs.length)), 'event-channel': String(port), protocol: 'x86_64-abi',
    ...Object.fromEntries(grefs.map((gref, page) => [grefs.length === 1 ? 'ring-ref' : `ring-ref${page}`, String(gref)])),
  }
  for (const [key, value] of Object.entries(keys)) await store.write(`${frontend}/${key}`, value)
  await store.write(`${frontend}/state`, xenbusStateValue('Initialised'))
  await reaches(xenbusStateValue('Connected'))
  await store.write(`${frontend}/state`, xenbusStateValue('Connected'))
}
