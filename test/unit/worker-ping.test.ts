/** The pool's question to all Workers: it is answered when each that runs has answered, and not before. */
import { Legacies, noLedger } from '../../src/actors/legacies.js'
import type { DownMessage, UpMessage } from '../../src/actors/worker-messages.js'
import { WorkerQueuePool } from '../../src/actors/worker-queue-pool.js'
import type { SegmentTable } from '../../src/journal/segment-table.js'

class Puppet {
  readonly got: DownMessage[] = []
  say: (message: UpMessage) => void = () => undefined
  die: (sentence: string) => void = () => undefined
  readonly handle = {
    post: (message: DownMessage) => void this.got.push(message),
    onMessage: (listener: (message: UpMessage) => void) => void (this.say = listener),
    onDeath: (listener: (sentence: string) => void) => void (this.die = listener),
    end: () => Promise.resolve(),
  }

  get pings(): number {
    return this.got.filter(({ kind }) => kind === 'ping').length
  }
}

let orphans = 0
function pool(workers: number): { puppets: Puppet[]; queues: WorkerQueuePool; later: (() => void)[] } {
  const puppets: Puppet[] = []
  const later: (() => void)[] = []
  const queues = new WorkerQueuePool({
    workers,
    table: {} as SegmentTable,
    legacies: new Legacies({ boot: '', ledger: noLedger, attemptsMax: 1 }),
    leave: () => undefined,
    reapOrphans: () => orphans,
    after: (_milliseconds, fire) => void later.push(fire),
    startWorker: () => {
      puppets.push(new Puppet())
      return puppets[puppets.length - 1].handle
    },
  })
  return { puppets, queues, later }
}

async function over(question: Promise<void>): Promise<boolean> {
  const answered = question.then(() => true)
  return Promise.race([answered, new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))])
}

test('every Worker must answer; who asks meanwhile joins', async () => {
  const { puppets: [first, second], queues } = pool(2)
  const question = queues.ping()
  first.say({ kind: 'pong' })
  expect(await over(question)).toBe(false)
  const joined = queues.ping()
  expect([first.pings, second.pings]).toEqual([1, 1])
  second.say({ kind: 'pong' })
  expect([await over(question), await over(joined)]).toEqual([true, true])
  const next = queues.ping()
  expect([first.pings, second.pings, await over(next)]).toEqual([2, 2, false])
})

test('a Worker that died is nobody to wait for, however long its I/O takes; its successor is asked again', async () => {
  const { puppets, queues, later } = pool(1)
  const question = queues.ping()
  orphans = 1
  puppets[0].die('it ended')
  expect(await over(question)).toBe(true)
  expect(await over(queues.ping())).toBe(true)
  orphans = 0
  for (const fire of later.splice(0)) fire()
  expect(puppets).toHaveLength(2)
  const next = queues.ping()
  expect([puppets[1].pings, await over(next)]).toEqual([1, false])
  puppets[1].say({ kind: 'pong' })
  expect(await over(next)).toBe(true)
})
