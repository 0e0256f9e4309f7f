/**
 * @packageDocumentation
 * The medium's shell: runs its chart, opens and closes through a MediumOpener, asks for the size now and then, and
 * tells its device what became of it.
 */
import { mediumMachine, type MediumEffect, type MediumEvent, type MediumInput } from '../machines/medium.machine.js'
import type { DeviceEvent } from '../machines/device/types.js'
import type { Clock } from '../ports/clock.js'
import type { ActorJournal } from '../ports/journal.js'
import type { Medium, MediumOpened, MediumOpener, MediumPlan, MediumSpec } from '../ports/medium.js'
import { ChartActor } from './chart-actor.js'

export interface MediumActorOptions {
  readonly opener: MediumOpener
  readonly clock: Clock
  readonly journal: ActorJournal
  readonly patience: MediumInput
  /** Tells the device. */
  readonly tell: (event: DeviceEvent) => void
  readonly crashed: (sentence: string) => void
}

export class MediumActor {
  readonly #options: MediumActorOptions
  readonly #chart: ChartActor<typeof mediumMachine>
  #medium: Medium | undefined
  #sectorCount = 0
  #cancelTimer: (() => void) | undefined
  /** Counts what was asked of the opener and given back: answers may come later than they are wanted. */
  #asked = 0

  constructor(options: MediumActorOptions) {
    this.#options = options
    this.#chart = new ChartActor({
      machine: mediumMachine, input: options.patience, journal: options.journal,
      execute: (effect) => this.#execute(effect), crashed: options.crashed,
    })
  }

  start(): void {
    this.#chart.start()
  }

  tell(event: MediumEvent): void {
    this.#chart.tell(event)
  }

  get plan(): MediumPlan | undefined {
    return this.#medium?.plan
  }

  /** Asks the medium for its size; only a change is an input. */
  checkSize(): void {
    if (this.#medium === undefined) return
    const sectorCount = this.#medium.currentSectorCount()
    if (sectorCount === undefined) this.tell({ type: 'medium.lost', sentence: 'the medium has no size any more' })
    else if (sectorCount !== this.#sectorCount) {
      this.#sectorCount = sectorCount
      this.tell({ type: 'medium.sizeChanged', sectorCount })
    }
  }

  /** Gives everything back, whatever the chart thinks: for a device that crashed. */
  salvage(): void {
    this.#chart.stop()
    this.#cancelTimer?.()
    this.#letGo()
  }

  #execute(effect: MediumEffect): void {
    const { tell, clock } = this.#options
    switch (effect.type) {
      case 'tryOpen':
        return this.#tryOpen(effect.spec)
      case 'letGo':
        return this.#letGo()
      case 'startTimer':
        this.#cancelTimer = clock.after(effect.milliseconds, () => this.tell({ type: 'clock.elapsed', timer: 'lock' }))
        return
      case 'stopTimer':
        return this.#cancelTimer?.()
      case 'tellOpened':
        return tell({ type: 'medium.opened', plan: effect.plan, notes: effect.notes })
      case 'tellRefused':
        return tell({ type: 'medium.refused', sentence: effect.sentence })
      case 'tellWaited':
        return tell({ type: 'medium.waited', sentence: effect.sentence })
      case 'tellResized':
        return tell({ type: 'medium.resized', sectorCount: effect.sectorCount })
      case 'tellGone':
        return tell({ type: 'medium.gone', sentence: effect.sentence })
      case 'tellClosed':
        return tell({ type: 'medium.closed' })
    }
  }

  #tryOpen(spec: MediumSpec): void {
    const { opener } = this.#options
    const later = opener.openLater?.(spec)
    if (later === undefined) return this.#opened(opener.open(spec))
    const asked = ++this.#asked
    void later.then((result) => {
      if (asked === this.#asked) this.#opened(result)
      else if (result.ok) result.medium.close()
    })
  }

  #opened(result: MediumOpened): void {
    if (!result.ok) return this.tell({ type: 'opener.refused', ...result.error })
    this.#medium = result.medium
    this.#sectorCount = result.medium.geometry.sectorCount
    this.tell({ type: 'opener.opened', plan: result.medium.plan, notes: result.medium.notes })
  }

  #letGo(): void {
    this.#asked++
    this.#medium?.close()
    this.#medium = undefined
  }
}
