/**
 * @packageDocumentation
 * The three processes of the demo, each told to end, and killed if it does not: whatever happens, none outlives it.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { XbbdError } from '../../protocol/errors.js'

/** Longest that a process may take to come up, to answer a command that should be quick, or to end. */
const PATIENCE_MS = 30_000

/** A child whose standard error is kept, to be shown when something goes wrong. */
export class Child {
  readonly name: string
  readonly process: ChildProcess
  readonly ended: Promise<number | null>
  private errors = ''

  constructor(name: string, script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.name = name
    // Named from here, since a bundle (scripts/bundle.mjs) keeps these places and nothing else of the tree.
    const path = fileURLToPath(new URL(`../../${script}`, import.meta.url))
    this.process = spawn(process.execPath, [path, ...args], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in a terminal is the demo's to obey, in its own order.
      detached: true,
    })
    this.process.stderr?.on('data', (chunk) => (this.errors = (this.errors + String(chunk)).slice(-16_384)))
    this.ended = new Promise((resolve) => this.process.on('close', (status) => resolve(status)))
  }

  /** What it said on standard error, the last 16 KiB. */
  get said(): string {
    return this.errors.trim()
  }

  /** Waits until `ready` holds. Rejects when the process ends before, or after the patience. */
  async until(ready: () => boolean | Promise<boolean>): Promise<void> {
    let status: number | null | undefined
    void this.ended.then((ended) => void (status = ended))
    for (const began = Date.now(); !(await ready()); await new Promise((soon) => setTimeout(soon, 20))) {
      if (status !== undefined) throw this.failure(`ended with status ${status}`)
      if (Date.now() - began > PATIENCE_MS) throw this.failure(`is not ready after ${PATIENCE_MS / 1000} s`)
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.process.exitCode === null) this.process.kill(signal)
    const killer = setTimeout(() => this.process.kill('SIGKILL'), PATIENCE_MS)
    const status = await this.ended
    clearTimeout(killer)
    return status
  }

  failure(what: string): XbbdError {
    return new XbbdError('XBBD_DEMO', `the ${this.name} ${what}${this.said ? `: ${this.said}` : ''}`, { exitCode: 1 })
  }
}

/** What the front end's process says. */
export type FrontEvent = { readonly event: string } & Readonly<Record<string, unknown>>

interface Waiting {
  readonly event: string
  readonly resolve: (event: FrontEvent) => void
  readonly reject: (error: XbbdError) => void
}

/** The front end's process (embedded/front/main.ts): one command at a time, events until its outcome. */
export class FrontChild extends Child {
  private readonly waiting: Waiting[] = []
  onProgress: (figures: FrontEvent) => void = () => undefined

  constructor(hostDir: string) {
    super('front end', 'embedded/front/main.js', [hostDir])
    const { stdout } = this.process
    if (stdout) createInterface({ input: stdout }).on('line', (line) => this.heard(JSON.parse(line) as FrontEvent))
    void this.ended.then((status) => {
      for (const { reject } of this.waiting.splice(0)) reject(this.failure(`ended with status ${status}`))
    })
  }

  /** Resolves with the first event of that name. Rejects with what the process calls a failure. */
  expect(event: string): Promise<FrontEvent> {
    return new Promise((resolve, reject) => this.waiting.push({ event, resolve, reject }))
  }

  /** Gives a command and waits for its outcome. */
  ask(command: object, outcome: string): Promise<FrontEvent> {
    const answer = this.expect(outcome)
    this.process.stdin?.write(`${JSON.stringify(command)}\n`)
    return answer
  }

  private heard(event: FrontEvent): void {
    if (event.event === 'progress') return this.onProgress(event)
    const first = this.waiting[0]
    if (event.event === 'failed') this.waiting.shift()?.reject(this.failure(String(event.sentence)))
    else if (first?.event === event.event) this.waiting.shift()?.resolve(event)
  }
}
