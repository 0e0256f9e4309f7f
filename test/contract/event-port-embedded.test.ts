/** Event channels of the pocket host: two eventfds, and a Worker as the guest beside us. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { embeddedDataPath } from '../../src/embedded/data-path.js'
import { closeDescriptor, mapMemory, owned, unmap, view } from '../../src/io/native/owners.js'
import { eventfdCreate, eventfdRead, eventfdWrite } from '../../src/io/native/shm.js'
import { eventPortContract } from './event-port.js'

eventPortContract('embedded', async () => {
  const before = owned().length
  const [kick, answer, page] = [eventfdCreate(), eventfdCreate(), mapMemory(4096)]
  const worker = new Worker(new URL('./storm-worker.js', import.meta.url), { workerData: { kick, page } })
  await once(worker, 'online')
  // As the host does when a port is bound.
  eventfdWrite(kick)
  const plan = { world: 'embedded', domid: 1, port: 1, eventHandle: kick, notifyHandle: answer } as const
  return {
    port: embeddedDataPath(0).openChannel(plan),
    words: new Int32Array(view(page)),
    kick(times) {
      for (let count = 0; count < times; count++) eventfdWrite(kick)
    },
    storm: (kicks, pauseUs, seed) => worker.postMessage({ kicks, pauseUs, seed }),
    heard: () => eventfdRead(answer) > 0,
    async close() {
      await worker.terminate()
      unmap(page)
      closeDescriptor(kick)
      closeDescriptor(answer)
      expect(owned().length).toBe(before)
    },
  }
})
