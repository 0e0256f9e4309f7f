/**
 * @packageDocumentation
 * The operator's log: life-cycle lines only (started, ready, attached, parked, failed, reloaded), never a line per
 * request; what requests did stands in the journal. One JSON object per line on standard error, by pino, for whoever
 * collects logs; on a terminal the same lines in words. Written at once: the last line before an end must not be lost
 * in a buffer.
 */
import { destination, pino, type Logger } from 'pino'
import { printable } from '../table.js'
import type { Settings } from '../config/schema.js'

export type Log = Logger

/** A log on descriptor 2, readable by people when that is a terminal. */
export function openLog(level: Settings['log.level'], stderr: { isTTY?: boolean; write(text: string): unknown }): Log {
  const options = {
    level,
    base: { pid: process.pid },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  }
  if (!stderr.isTTY) return pino(options, destination({ dest: 2, sync: true }))
  return pino(options, { write: (line: string) => void stderr.write(wordsOf(line)) })
}

/** `12:03:04 info  daemon ready  world=embedded devices=2`. */
export function wordsOf(line: string): string {
  const { time, level, msg, pid: _pid, ...rest } = JSON.parse(line) as Record<string, unknown>
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${fieldText(value)}`)
  const clock = typeof time === 'string' ? time.slice(11, 19) : ''
  return `${[clock, String(level).padEnd(5), printable(String(msg)), ...fields].join(' ')}\n`
}

function fieldText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return printable(/[\s"]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text)
}
