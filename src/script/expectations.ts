/**
 * @packageDocumentation
 * What `expect` waits for and compares, and the sentence that says what was found instead. Answers are collected while
 * it waits; a status that is not the expected one fails at once, without waiting for the others.
 */
import { XENBUS_STATES, parseXenbusState } from '../protocol/xenbus-state.js'
import { PATIENCE_MS } from './ast.js'
import type { Content, Expectation } from './ast.js'
import { crc32 } from './crc32.js'
import { XbbdError } from '../protocol/errors.js'
import type { ScriptFront } from './front.js'
import type { ScriptPort } from './port.js'
import { statusText } from './print.js'

export class ScriptExpectations {
  private readonly port: ScriptPort
  private readonly front: ScriptFront

  constructor(port: ScriptPort, front: ScriptFront) {
    this.port = port
    this.front = front
  }

  /** Rejects with what was found instead. */
  async meet(expected: Expectation): Promise<void> {
    switch (expected.what) {
      case 'answers':
        return this.answers(expected.names, expected.status, patience(expected))
      case 'unanswered':
        return this.unanswered(expected.names, expected.forMs ?? 0)
      case 'state':
        return this.state(expected.state, patience(expected))
      case 'key':
        return this.key(expected.key, expected.value, patience(expected))
      case 'data':
        return this.data(expected.name, expected.content)
      case 'mapped':
      case 'unmapped':
        return this.mapped(expected.name, expected.what === 'mapped', patience(expected))
      case 'index': {
        const value = () => this.front.index(expected.index, expected.queue ?? 0)
        if (await this.port.until(() => value() === expected.value, patience(expected))) return
        throw failed(`${expected.index} is ${value()}, expected was ${expected.value}`)
      }
    }
  }

  private async answers(names: readonly string[], status: number, ms: number): Promise<void> {
    const { front } = this
    const open = () => names.filter((name) => front.puts.get(name)?.status === undefined)
    const wrong = () => names.find((name) => (front.puts.get(name)?.status ?? status) !== status)
    await this.port.until(() => (front.collect(), wrong() !== undefined || open().length === 0), ms)
    const bad = wrong()
    if (bad !== undefined) {
      const found = statusText(front.puts.get(bad)?.status ?? 0)
      throw failed(`${bad} was answered ${found}, expected was ${statusText(status)}`)
    }
    if (open().length > 0) throw failed(`${open().join(', ')} was not answered within ${ms} ms`)
  }

  private async unanswered(names: readonly string[], ms: number): Promise<void> {
    const { front } = this
    const answered = () => names.find((name) => front.puts.get(name)?.status !== undefined)
    await this.port.until(() => (front.collect(), answered() !== undefined), ms)
    const bad = answered()
    if (bad === undefined) return
    throw failed(`${bad} was answered ${statusText(front.puts.get(bad)?.status ?? 0)}, expected was no answer`)
  }

  private async state(state: string, ms: number): Promise<void> {
    const found = async () => {
      const parsed = parseXenbusState(await this.port.readKey('state'))
      return parsed.ok ? parsed.state : parsed.sentence
    }
    const collected = async () => (this.front.collect(), (await found()) === state)
    if (await this.port.until(collected, ms)) return
    const now = await found()
    const number = XENBUS_STATES.findIndex((name) => name === now)
    throw failed(`the back end is ${now} (${number}), expected was ${state}; waited ${ms} ms`)
  }

  private async key(key: string, value: string | undefined, ms: number): Promise<void> {
    if (await this.port.until(async () => (await this.port.readKey(key)) === value, ms)) return
    const found = await this.port.readKey(key)
    const text = (one: string | undefined) => (one === undefined ? 'not there' : JSON.stringify(one))
    throw failed(`the node ${key} of the back end is ${text(found)}, expected was ${text(value)}`)
  }

  private async mapped(name: string, wanted: boolean, ms: number): Promise<void> {
    const page = this.front.pages.get(name)
    const mapped = () => (page === undefined ? this.port.ringMapped() : this.port.mapped(page))
    if (await this.port.until(() => (this.front.collect(), mapped() === wanted), ms)) return
    const who = page ? `page ${name}` : 'the ring'
    throw failed(`${who} is ${wanted ? 'not' : 'still'} mapped by the back end; waited ${ms} ms`)
  }

  private data(name: string, content: Content): void {
    this.front.collect()
    const bytes = this.front.bytesOf(name)
    if (content.is === 'crc32') {
      const found = crc32(bytes)
      if (found === content.crc) return
      throw failed(`the ${bytes.length} bytes of ${name} have crc32 0x${found.toString(16)}`)
    }
    const other = content.is === 'same' ? this.front.bytesOf(content.name) : undefined
    if (other && other.length !== bytes.length)
      throw failed(`${name} has ${bytes.length} bytes, ${content.is === 'same' ? content.name : ''} ${other.length}`)
    const wanted = (at: number) => (content.is === 'byte' ? content.byte : other![at])
    const at = bytes.findIndex((byte, index) => byte !== wanted(index))
    if (at < 0) return
    const hex = (byte: number) => `0x${byte.toString(16)}`
    throw failed(`byte ${at} of ${name} is ${hex(bytes[at])}, expected was ${hex(wanted(at))}`)
  }
}

function patience(expected: { readonly withinMs?: number }): number {
  return expected.withinMs ?? PATIENCE_MS
}

/** Something that was expected did not come true. */
export function failed(sentence: string): XbbdError {
  return new XbbdError('XBBD_EXPECTED', sentence, { exitCode: 1 })
}
