/**
 * @packageDocumentation
 * A Worker that submits reads to an engine and then does nothing more, so that it can be ended with I/O in flight.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { FilePort } from '../../src/io/media/file-port.js'
import { memoryGeometry } from '../../src/io/media/memory-port.js'
import { view } from '../../src/io/native/owners.js'
import { IO_READ, IO_WORDS } from '../../src/ports/data-path.js'
import type { IoEngineKind } from '../../src/ports/medium.js'

const { handle, arenaHandle, engine, requests, length } = workerData as {
  handle: number
  arenaHandle: number
  engine: IoEngineKind
  requests: number
  length: number
}
const arena = { bytes: new Uint8Array(view(arenaHandle)), handle: arenaHandle }
const geometry = memoryGeometry(2 ** 20)
const port = new FilePort({ kind: 'file', geometry, layers: [], handle, engine, depth: 64, blockDevice: false }, arena)
const words = new Int32Array(requests * IO_WORDS)
for (let index = 0; index < requests; index++) words.set([IO_READ, index, index * length, length], index * IO_WORDS)
const taken = port.submit(words, requests)
parentPort?.postMessage(taken)
