/**
 * @packageDocumentation
 * The bench's end of a front end's process (front-process.ts): one request at a time, each with its reply.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { FrontLoadAddress, FrontLoadOptions, LoadPlan, LoadResult, LoadRun } from '../src/embedded/front-load.js'
import type { FrontReply, FrontRequest } from './front-process.js'
import { pin } from './pin.js'

export class Front {
  readonly address: FrontLoadAddress
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, address: FrontLoadAddress) {
    this.#child = child
    this.address = address
  }

  /** Starts the process and its guest, on the front ends' processor unless told otherwise. Rejects without a guest. */
  static async start({ pinned = true, ...options }: FrontLoadOptions & { readonly pinned?: boolean }): Promise<Front> {
    const child = fork(new URL('./front-process.js', import.meta.url))
    if (pinned && child.pid !== undefined) pin(child.pid, 'front')
    const reply = await ask(child, { kind: 'create', options })
    if (reply.kind !== 'created') throw new Error('the front end answered with something else')
    return new Front(child, reply.address)
  }

  /** Rejects when an answer was wrong: a figure from a run with errors says nothing. */
  async run(plan: LoadPlan, run: LoadRun): Promise<LoadResult> {
    const reply = await ask(this.#child, { kind: 'run', plan, run })
    if (reply.kind !== 'ran') throw new Error('the front end answered with something else')
    const { errors, lies, requests } = reply.result
    if (errors + lies > 0) throw new Error(`of ${requests} answers ${errors} were errors and ${lies} were wrong`)
    return reply.result
  }

  /** Ends the process; its domain goes with it. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.disconnect()
    await ended
  }
}

function ask(child: ChildProcess, request: FrontRequest): Promise<FrontReply> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the front end has died'))
    child.once('exit', ended)
    child.once('message', (reply: FrontReply) => {
      child.off('exit', ended)
      if (reply.kind === 'failed') reject(new Error(reply.sentence))
      else resolve(reply)
    })
    child.send(request)
  })
}
