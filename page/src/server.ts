/**
 * @packageDocumentation
 * Asks the server. Everything is a GET of this page's own origin; what goes wrong is a sentence. `Latest` keeps one
 * question under way and forgets all but the newest of those that wait, so that a slider that is dragged asks as fast
 * as it is answered and no faster.
 */
import type { Events, History, Step, View } from '../../src/observe/page/types.js'

export type Query = Readonly<Record<string, string | number | undefined>>

interface Answers {
  readonly view: View
  readonly history: History
  readonly events: Events
  readonly step: Step
}

export async function ask<Q extends keyof Answers>(question: Q, query: Query = {}): Promise<Answers[Q]> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]))
  const response = await fetch(`/api/${question}?${search}`).catch(() => undefined)
  if (response === undefined)
    throw new Error('the server does not answer: does `xbbd view`, or the daemon, still run?')
  if (!response.ok) throw new Error((await response.text()).trim())
  return (await response.json()) as Answers[Q]
}

export class Latest {
  private running = false
  private waiting: (() => Promise<void>) | undefined

  /** Does `task` when the one before it has ended; one that comes meanwhile takes its place. */
  run(task: () => Promise<void>): void {
    if (this.running) {
      this.waiting = task
      return
    }
    this.running = true
    void task().finally(() => {
      this.running = false
      const next = this.waiting
      this.waiting = undefined
      if (next !== undefined) this.run(next)
    })
  }
}

/** A picture of a chart as a document: parsed by the browser's loader, never from a string. */
export function picture(name: string): Promise<Document | undefined> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest()
    request.responseType = 'document'
    request.onload = () => resolve(request.status === 200 ? (request.responseXML ?? undefined) : undefined)
    request.onerror = () => resolve(undefined)
    request.open('GET', `/charts/${name}.svg`)
    request.send()
  })
}
