/**
 * @packageDocumentation
 * A thread that answers every request of one ring at once: what is left of a back end when all its work is taken away.
 * A front end that is no faster with it than with the real one is itself the limit.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { echo } from '../src/embedded/front-load.js'

export interface EchoData {
  readonly ringHandle: number
  readonly ringPages: number
  readonly idleMs: number
}

const { ringHandle, ringPages, idleMs } = workerData as EchoData
parentPort?.postMessage('ready')
parentPort?.postMessage(echo(ringHandle, ringPages, idleMs))
