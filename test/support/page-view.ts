/**
 * @packageDocumentation
 * `xbbd view` in a process of its own, as an operator starts it, with the address that it printed; and questions to it
 * without a browser.
 */
import { startXbbd, type Running } from './xbbd-process.js'

export class PageView {
  readonly url: string
  private readonly running: Running

  private constructor(running: Running, url: string) {
    this.running = running
    this.url = url
  }

  /** Rejects when the command ends before it has printed an address. */
  static async start(...args: string[]): Promise<PageView> {
    const running = startXbbd('view', ...args)
    const url = await new Promise<string>((resolve, reject) => {
      running.child.stdout?.on('data', (chunk) => resolve(String(chunk).trim()))
      void running.ended.then(({ status, stderr }) => reject(new Error(`xbbd view ended with ${status}: ${stderr}`)))
    })
    return new PageView(running, url)
  }

  /** Where in the page: `device=vbd/1/51712&at=12`. */
  at(place: string): string {
    return `${this.url}#${place}`
  }

  get origin(): string {
    return new URL(this.url).origin
  }

  get token(): string {
    return new URL(this.url).searchParams.get('token') ?? ''
  }

  get pid(): number {
    return this.running.child.pid ?? 0
  }

  async ask<Answer>(question: string): Promise<Answer> {
    const response = await fetch(`${this.origin}/api/${question}`, { headers: { authorization: `Bearer ${this.token}` } })
    if (!response.ok) throw new Error(await response.text())
    return (await response.json()) as Answer
  }

  async end(): Promise<number | null> {
    this.running.child.kill('SIGINT')
    return (await this.running.ended).status
  }
}
