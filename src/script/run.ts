/**
 * @packageDocumentation
 * Runs a script over a port, statement by statement, and says how it went: that everything expected came true, or at
 * which line what was found instead. It waits for nothing longer than the script says (5 s where it is silent).
 *
 *   Statement[] ─ settingOf ─► port.begin ─► each statement ─► port.complaints ─► ScriptReport
 *
 * Whatever happens the port is ended: nothing outlives a script.
 */
import { XbbdError, sentenceOf } from '../protocol/errors.js'
import type { Statement } from './ast.js'
import { ScriptExpectations, failed } from './expectations.js'
import { ScriptFront } from './front.js'
import type { Put } from './front.js'
import type { ScriptPort } from './port.js'
import { printStatement } from './print.js'
import { isPreparation, lackOf, settingOf } from './survey.js'

export interface ScriptFailure {
  /** 0 when it belongs to no line. */
  readonly line: number
  readonly statement: string
  readonly sentence: string
}

export interface ScriptReport {
  readonly ok: boolean
  /** Over which port. */
  readonly port: string
  /** Executed, those of repeats each time. */
  readonly statements: number
  readonly requests: number
  readonly answers: number
  /** What was put and not answered when the script was over. */
  readonly unanswered: number
  readonly failure?: ScriptFailure
}

/** What may be watched while a script runs. */
export interface ScriptObserver {
  statement?(statement: Statement, text: string): void
  answer?(put: Put): void
}

/** Runs it. Rejects only when the port cannot begin, or the script wants what it lacks. */
export async function runScript(
  script: readonly Statement[], port: ScriptPort, observer: ScriptObserver = {},
): Promise<ScriptReport> {
  const lack = lackOf(script, port.lacks)
  if (lack !== undefined) {
    const sentence = `line ${lack.line ?? 0} (${printStatement(lack)}) is nothing that the ${port.name} world can do`
    throw new XbbdError('XBBD_SCRIPT_PORT', sentence, { exitCode: 65 })
  }
  try {
    await port.begin(settingOf(script))
    return await new ScriptRun(port, observer).run(script)
  } finally {
    await port.end()
  }
}

class ScriptRun {
  private readonly port: ScriptPort
  private readonly front: ScriptFront
  private readonly expectations: ScriptExpectations
  private readonly observer: ScriptObserver
  private statements = 0
  private begun = false
  /** The innermost statement at work. */
  private current: Statement | undefined

  constructor(port: ScriptPort, observer: ScriptObserver) {
    this.port = port
    this.observer = observer
    this.front = new ScriptFront(port)
    this.front.onAnswer = (put) => observer.answer?.(put)
    this.expectations = new ScriptExpectations(port, this.front)
  }

  async run(script: readonly Statement[]): Promise<ScriptReport> {
    let failure: ScriptFailure | undefined
    try {
      await this.all(script)
      this.front.collect()
      const complaint = this.port.complaints().at(0)
      if (complaint !== undefined) failure = { line: 0, statement: '', sentence: complaint }
    } catch (error) {
      if (!(error instanceof XbbdError)) throw error
      const { current } = this
      const statement = current ? printStatement(current) : ''
      failure = { line: current?.line ?? 0, statement, sentence: sentenceOf(error) }
    }
    const { requests, answers, unanswered } = this.front
    const counts = { statements: this.statements, requests, answers, unanswered }
    return { ok: failure === undefined, port: this.port.name, ...counts, ...(failure && { failure }) }
  }

  private async all(statements: readonly Statement[]): Promise<void> {
    for (const statement of statements) {
      if (statement.do === 'comment') continue
      this.current = statement
      if (statement.do === 'repeat') {
        for (let time = 0; time < statement.times; time++) await this.all(statement.body)
        continue
      }
      this.statements++
      this.observer.statement?.(statement, printStatement(statement))
      await this.execute(statement)
    }
  }

  private async execute(statement: Statement): Promise<void> {
    const { port, front } = this
    switch (statement.do) {
      case 'comment':
      case 'repeat':
        return
      case 'abi':
      case 'setting':
        if (this.begun) throw failed('the world is made by now: write this before the first act')
        return
      case 'disk':
        // What stands before everything else was given to the port when it began.
        return this.begun ? port.changeDisk(statement) : undefined
      case 'expect':
        return this.expectations.meet(statement.expected)
      case 'wait':
        await port.until(() => (front.collect(), false), statement.ms)
        return
      default:
        this.begun ||= !isPreparation(statement)
        return this.act(statement)
    }
  }

  private async act(statement: Statement): Promise<void> {
    const { port, front } = this
    switch (statement.do) {
      case 'connect':
        front.use(await port.makeRings({ pages: statement.pages ?? 1, queues: statement.queues ?? 1 }))
        return port.connect(statement.persistent ?? false)
      case 'rings':
        return front.use(await port.makeRings({ pages: statement.pages ?? 1, queues: statement.queues ?? 1 }))
      case 'keys':
        return port.writeKeys(statement.persistent ?? false)
      case 'key':
        return port.writeKey(statement.key, statement.value)
      case 'state':
        return port.writeState(statement.state)
      case 'kill':
      case 'stop':
      case 'start':
      case 'close':
      case 'vanish':
        return port[statement.do]()
      default:
        return this.touch(statement)
    }
  }

  /** What only memory is needed for. */
  private touch(statement: Statement): void {
    const { front, port } = this
    switch (statement.do) {
      case 'page':
        return front.makePage(statement.name, statement.grant)
      case 'fill':
        return void front.pages.get(statement.name)?.bytes.fill(statement.byte)
      case 'grant':
        return port.grant(front.pages.get(statement.name)!, statement.readOnly)
      case 'revoke':
        if (port.revoke(front.pages.get(statement.name)!)) return
        throw failed(`the back end still has page ${statement.name} mapped: expect unmapped ${statement.name} before`)
      case 'stage':
        return void front.stage(statement.request)
      case 'put':
        return front.publish(front.stage(statement.request).queue)
      case 'publish':
        return front.publish(statement.queue ?? 0, statement.quietly)
      case 'notify':
        return front.notify(statement.queue ?? 0)
      case 'index':
        return front.setIndex(statement.index, statement.value, statement.relative, statement.queue ?? 0)
      case 'poke':
        return front.poke(front.puts.get(statement.name)!, statement.word, statement.value)
      default:
        return
    }
  }
}
