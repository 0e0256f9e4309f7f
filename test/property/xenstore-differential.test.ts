/**
 * @packageDocumentation
 * The same random requests, sensible and senseless, on two connections each, to our server and to the C xenstored of
 * Debian: every reply and every watch event must be the same. Left out of the comparison is what the protocol leaves
 * open: the order of names in a directory, the order and repetition of events of one request (theirs drops one that
 * equals one not yet sent), the numbers of transactions and generations.
 *
 * The protocol also leaves open whether a transaction sees a node as it was at the start (our server) or when it
 * first looked (theirs). So a run is either exclusive (while a transaction is open there is nothing beside it), or
 * each transaction begins by looking at every node, and others interfere as they like.
 */
import * as fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listenOn } from '../../src/embedded/xenstored/server.js'
import { XenStored } from '../../src/embedded/xenstored/xenstored.js'
import { XS } from '../../src/io/xenstore/wire.js'
import { type DebianXenstored, obtainXenstored, startDebianXenstored } from '../rig/debian-xenstored.js'
import { RawXenStore } from '../rig/raw-xenstore.js'
import { testWith } from '../support/clients.js'

/** One step: who asks, what, and whether within the transaction that this connection has open. */
interface Step {
  readonly who: 0 | 1
  readonly type: number
  /** `ROOT` stands for the run's own root. */
  readonly payload: string
  readonly inTransaction: boolean
}

const paths = ['ROOT', 'ROOT/a', 'ROOT/b', 'ROOT/a/x', 'ROOT/a/x/deep', 'ROOT/b/y']
const path = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...paths) },
  { weight: 1, arbitrary: fc.constantFrom('', 'ROOT/', 'ROOT//a', 'ROOT/a b', 'ROOT/a.b', 'relative') },
)
const terminated = path.map((text) => `${text}\0`)
const watchable = fc.oneof({ weight: 9, arbitrary: terminated }, fc.constant('@nonsense\0'))
const token = fc.constantFrom('t1', 't2')
const permission = fc.constantFrom('n0', 'r0', 'w3', 'b5', 'n7', 'x1', 'r', '')

const request = fc.oneof(
  fc.record({ type: fc.constant(XS.READ), payload: terminated }),
  fc.record({ type: fc.constant(XS.DIRECTORY), payload: terminated }),
  fc.record({ type: fc.constant(XS.GET_PERMS), payload: terminated }),
  fc.record({ type: fc.constant(XS.MKDIR), payload: terminated }),
  fc.record({ type: fc.constant(XS.RM), payload: terminated }),
  fc.record({
    type: fc.constant(XS.WRITE),
    payload: fc.tuple(terminated, fc.constantFrom('', '1', 'some value', 'nul\0within')).map((parts) => parts.join('')),
  }),
  fc.record({
    type: fc.constant(XS.SET_PERMS),
    payload: fc
      .tuple(terminated, fc.array(permission, { minLength: 1, maxLength: 3 }))
      .map(([first, entries]) => first + entries.map((entry) => `${entry}\0`).join('')),
  }),
  fc.record({
    type: fc.constantFrom(XS.WATCH, XS.UNWATCH),
    payload: fc.tuple(watchable, token).map(([first, second]) => `${first}${second}\0`),
  }),
  fc.record({ type: fc.constant(XS.TRANSACTION_START), payload: fc.constant('\0') }),
  fc.record({ type: fc.constant(XS.TRANSACTION_END), payload: fc.constantFrom('T\0', 'T\0', 'F\0', 'X\0') }),
  fc.record({ type: fc.constantFrom(XS.IS_DOMAIN_INTRODUCED, XS.GET_DOMAIN_PATH), payload: fc.constant('0\0') }),
)
const step = fc
  .tuple(fc.constantFrom<0 | 1>(0, 1), request, fc.boolean())
  .map(([who, asked, inTransaction]): Step => ({ who, ...asked, inTransaction }))
const runs = fc.record({ exclusive: fc.boolean(), steps: fc.array(step, { minLength: 1, maxLength: 60 }) })
type Run = typeof runs extends fc.Arbitrary<infer T> ? T : never

/** What one server makes of the steps, as lines that can be compared. */
async function transcript(socket: string, root: string, { exclusive, steps }: Run): Promise<string[]> {
  const connections = [await RawXenStore.connect(socket), await RawXenStore.connect(socket)]
  const open: number[] = [0, 0]
  const lines: string[] = []
  for (const { type, payload, ...rest } of steps) {
    const owner = exclusive ? open.findIndex((id) => id !== 0) : -1
    const who = owner < 0 ? rest.who : owner
    const inTransaction = owner >= 0 || rest.inTransaction
    const ending = type === XS.TRANSACTION_END
    const starting = type === XS.TRANSACTION_START
    // A second transaction of one connection would only lose the number of the first.
    if (starting && open[who] !== 0) continue
    const txId = !starting && (inTransaction || ending) ? open[who] : 0
    const reply = await connections[who].request(type, payload.replaceAll('ROOT', root), txId)
    const text = reply.payload.toString('latin1').replaceAll(root, 'ROOT')
    if (ending && text !== 'EINVAL\0') open[who] = 0
    if (starting) {
      open[who] = Number(text.slice(0, -1))
      if (!exclusive) for (const at of paths) await read(connections[who], at.replace('ROOT', root), open[who])
    }
    const sorted = type === XS.DIRECTORY ? text.split('\0').sort().join(' ') : text
    lines.push(JSON.stringify({ who, type, payload, tx: txId !== 0, reply: reply.type, text: starting ? '' : sorted }))
    // Whatever events the step caused have arrived once a later request is answered.
    for (const [index, connection] of connections.entries()) {
      await connection.request(XS.IS_DOMAIN_INTRODUCED, '0\0')
      const events = connection.events.splice(0).map((event) => event.replaceAll(root, 'ROOT'))
      if (events.length > 0) lines.push(JSON.stringify({ index, events: [...new Set(events)].sort() }))
    }
  }
  for (const connection of connections) connection.close()
  return lines
}

async function read(connection: RawXenStore, path: string, txId: number): Promise<void> {
  await connection.request(XS.READ, `${path}\0`, txId)
}

const obtained = obtainXenstored()
const named = 'binary' in obtained ? obtained.binary : `Debian's xenstored (${obtained.missing})`

testWith([named], 'our server answers like the C xenstored', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'xbbd-differential-'))
  const ours = await listenOn(new XenStored(), join(directory, 'socket'))
  const theirs: DebianXenstored = await startDebianXenstored(named)
  let run = 0
  try {
    await fc.assert(
      fc.asyncProperty(runs, async (list) => {
        const root = `/differential/r${++run}`
        const [mine, judge] = await Promise.all([
          transcript(ours.path, root, list),
          transcript(theirs.socket, root, list),
        ])
        expect(mine).toEqual(judge)
      }),
      { seed: 20_260, numRuns: 150 },
    )
  } finally {
    await ours.close()
    await theirs.stop()
    rmSync(directory, { recursive: true })
  }
})
