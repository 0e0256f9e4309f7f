/**
 * @packageDocumentation
 * A conversation with the agent in a guest (rig/guest/domu-init) over the guest's console, as text in and text out.
 *
 *   guest's hvc0 ◄──ring──► xenconsoled ◄──pty──► this
 *
 * The guest's kernel and its boot loader write to the same console, and the kernel may do so in the middle of an agent's
 * line. So output travels as base64 in marked lines, its end carries a checksum, and what does not fit is asked for
 * again. Everything else that the console says is kept as the guest's own words.
 */
import { createHash } from 'node:crypto'

export interface Answer {
  readonly output: string
  readonly status: number
}

/** How often an outcome that arrived damaged is asked for again. */
const AGAIN_MAX = 5

interface Asked {
  readonly id: number
  lines: string[]
  again: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

export class GuestConsole {
  /** Everything that was not the agent's: kernel messages, a boot loader's words. */
  words = ''
  #ready = false
  #ended: Error | undefined
  #rest = ''
  #asked: Asked | undefined
  #ids = 0
  #turn: Promise<unknown> = Promise.resolve()
  #whenReady: { resolve: () => void; reject: (error: Error) => void }[] = []
  readonly #send: (text: string) => void

  /** `send` writes to the guest's console. */
  constructor(send: (text: string) => void) {
    this.#send = send
  }

  get ready(): boolean {
    return this.#ready
  }

  /** Resolves when the agent has come up. */
  whenReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) reject(this.#ended)
      else if (this.#ready) resolve()
      else this.#whenReady.push({ resolve, reject })
    })
  }

  /** Runs a command of the guest's shell. One at a time; others wait for their turn. Rejects when the console ends. */
  run(command: string): Promise<Answer> {
    const answer = this.#turn.then(() => this.#ask(command))
    this.#turn = answer.catch(() => undefined)
    return answer
  }

  /** What the console said. Cut anywhere. */
  receive(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line.replace(/\r/g, ''))
  }

  /** The console is gone: the guest has ended. */
  end(reason: Error): void {
    this.#ended ??= reason
    this.words += this.#rest
    this.#rest = ''
    this.#asked?.reject(this.#ended)
    this.#asked = undefined
    for (const { reject } of this.#whenReady.splice(0)) reject(this.#ended)
  }

  #ask(command: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      const id = ++this.#ids
      this.#asked = { id, lines: [], again: 0, resolve, reject }
      this.#send(`run ${id} ${Buffer.from(command).toString('base64')}\n`)
    })
  }

  #line(line: string): void {
    if (/@agent ready$/.test(line)) {
      this.#ready = true
      for (const { resolve } of this.#whenReady.splice(0)) resolve()
      return
    }
    const said = /^@(\d+) (?:end (\d+) ([0-9a-f]{32})|([A-Za-z0-9+/=]+))$/.exec(line)
    if (!said) {
      // An end into which the kernel spoke would never be recognised.
      const id = /@(\d+) end\b/.exec(line)?.[1]
      if (id !== undefined && Number(id) === this.#asked?.id) this.#again(this.#asked)
      this.words += `${line}\n`
      return
    }
    const [, id, status, sum, base64] = said
    const asked = this.#asked
    if (!asked || Number(id) !== asked.id) return
    if (base64 !== undefined) asked.lines.push(base64)
    else this.#finish(asked, Number(status), sum)
  }

  #finish(asked: Asked, status: number, sum: string): void {
    const bytes = Buffer.concat(asked.lines.map((line) => Buffer.from(line, 'base64')))
    if (createHash('md5').update(bytes).digest('hex') !== sum) return this.#again(asked)
    this.#asked = undefined
    asked.resolve({ output: bytes.toString('utf8'), status })
  }

  #again(asked: Asked): void {
    asked.lines = []
    if (++asked.again > AGAIN_MAX) {
      this.#asked = undefined
      asked.reject(new Error(`the console spoilt one answer ${AGAIN_MAX} times`))
    } else this.#send(`again ${asked.id}\n`)
  }
}
