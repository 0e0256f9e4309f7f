/**
 * @packageDocumentation
 * What passes over the control socket: one JSON object per line, UTF-8, at most 1 MiB a line.
 *
 *   client ─► {"id":1,"method":"attach","params":{…}}
 *   daemon ─► {"id":1,"event":{…}}                                    any number, while it takes its time
 *   daemon ─► {"id":1,"result":…}                                     or
 *             {"id":1,"error":{"code":"XBBD_…","sentence":"…","exitCode":69}}
 *
 * `id` is the client's own count; requests of one client run side by side and may end out of order. A line that is no
 * request is answered with an error under id 0; a line that does not end within the bound ends the connection, because
 * nothing behind it can be trusted to begin where a line begins. `LineReader` is that framing, for both sides.
 */
import { XbbdError, codeOf, sentenceOf } from '../../protocol/errors.js'

/** Most bytes of one line, newline included, in either direction. */
export const LINE_BYTES_MAX = 1024 * 1024

export interface ControlRequest {
  /** 1 or more, a whole number. */
  readonly id: number
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

/** An error as it crosses the socket; `exitCode` is what the command ends with (sysexits). */
export interface ControlError {
  readonly code: string
  readonly sentence: string
  readonly exitCode: number
}

export type ControlMessage =
  | { readonly id: number; readonly event: unknown }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: ControlError }

/** Cuts a byte stream into lines, holding at most one unfinished line within the bound. */
export class LineReader {
  private parts: Buffer[] = []
  private held = 0

  /** Calls `line` for each line that `chunk` completes. @returns false when a line exceeds the bound. */
  feed(chunk: Buffer, line: (text: string) => void): boolean {
    let from = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const end = chunk.subarray(from, at)
      if (this.held + end.length >= LINE_BYTES_MAX) return false
      const text = Buffer.concat([...this.parts, end]).toString('utf8')
      this.parts = []
      this.held = 0
      from = at + 1
      line(text)
    }
    const rest = chunk.subarray(from)
    if (rest.length > 0) this.parts.push(rest)
    this.held += rest.length
    return this.held < LINE_BYTES_MAX
  }
}

/** One message as a line. A result that does not fit the bound becomes an error that says so. */
export function encodeLine(message: ControlMessage): Buffer {
  const line = Buffer.from(`${JSON.stringify(message)}\n`)
  if (line.length <= LINE_BYTES_MAX) return line
  const sentence = `the answer has ${line.length} bytes and the control socket carries 1M: ask for less, one device say`
  return encodeLine({ id: message.id, error: { code: 'XBBD_CONTROL_SIZE', sentence, exitCode: 70 } })
}

/** A request as a line. @throws XbbdError 64 when it exceeds the bound. */
export function encodeRequest(request: ControlRequest): Buffer {
  const line = Buffer.from(`${JSON.stringify(request)}\n`)
  if (line.length <= LINE_BYTES_MAX) return line
  throw new XbbdError('XBBD_CONTROL_SIZE', 'what is asked of the daemon exceeds 1M bytes', { exitCode: 64 })
}

/** Reads a request; a sentence when the line is none. */
export function decodeRequest(line: string): ControlRequest | string {
  const value = parseObject(line)
  if (!value) return 'this is no JSON object: a request is {"id":1,"method":"…","params":{…}}'
  const { id, method, params = {} } = value
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 1) return 'id must be a whole number from 1'
  if (typeof method !== 'string') return 'method must be a string'
  if (!isObject(params)) return 'params must be an object'
  return { id, method, params }
}

/** Reads a message of the daemon; undefined when the line is none. */
export function decodeMessage(line: string): ControlMessage | undefined {
  const value = parseObject(line)
  if (!value || typeof value.id !== 'number') return undefined
  const { id, error } = value
  if (isObject(error)) {
    const { code, sentence, exitCode } = error
    if (typeof code !== 'string' || typeof sentence !== 'string' || typeof exitCode !== 'number') return undefined
    return { id, error: { code, sentence, exitCode } }
  }
  if ('result' in value) return { id, result: value.result }
  return 'event' in value ? { id, event: value.event } : undefined
}

/** What is sent for an error: an XbbdError as it is, anything else as a fault of the daemon (70). */
export function controlErrorOf(error: unknown): ControlError {
  if (error instanceof XbbdError) return { code: error.code, sentence: error.message, exitCode: error.exitCode }
  const sentence = `the daemon failed to do this: ${sentenceOf(error)}`
  return { code: codeOf(error) ?? 'XBBD_INTERNAL', sentence, exitCode: 70 }
}

/** Whether `value` is a plain JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : undefined
  } catch {
    return undefined // not JSON: the caller answers with a sentence
  }
}
