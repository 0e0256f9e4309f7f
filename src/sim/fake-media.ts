/**
 * @packageDocumentation
 * An opener of media that exist only by name, for tests and simulations of the control plane. It keeps the lock: a
 * target that is open for writing is `locked` for the next who asks.
 */
import type { Medium, MediumError, MediumGeometry, MediumOpener, MediumSpec } from '../ports/medium.js'
import { assert } from '../protocol/errors.js'

const GEOMETRY: MediumGeometry = {
  sectorCount: 2048, sectorSize: 512, physicalSectorSize: 512, readOnly: false, canFlush: true, canDiscard: false,
  canSecureDiscard: false, discardGranularity: 512, discardAlignment: 0, buffered: false,
}

export class FakeMedia implements MediumOpener {
  readonly log: string[] = []
  /** Targets that cannot be opened, and why. */
  readonly errors = new Map<string, MediumError>()
  /** Targets whose size was changed; undefined = gone. */
  readonly sizes = new Map<string, number | undefined>()
  readonly #open = new Map<string, MediumSpec>()

  open(spec: MediumSpec): { ok: true; medium: Medium } | { ok: false; error: MediumError } {
    const { target, readOnly } = spec
    this.log.push(`open ${target}`)
    const error = this.errors.get(target)
    if (error !== undefined) return { ok: false, error }
    if (this.#open.has(target))
      return { ok: false, error: { code: 'locked', sentence: `${target} is in use: detach it there first` } }
    this.#open.set(target, spec)
    const size = this.sizes.get(target) ?? GEOMETRY.sectorCount
    const geometry = { ...GEOMETRY, readOnly, sectorCount: target === '' ? 0 : size }
    const medium: Medium = {
      geometry, plan: { kind: 'null', geometry, layers: [] }, notes: [],
      currentSectorCount: () => (this.sizes.has(target) ? this.sizes.get(target) : geometry.sectorCount),
      close: () => {
        this.log.push(`close ${target}`)
        assert(this.#open.delete(target), `${target} is closed twice`)
      },
    }
    return { ok: true, medium }
  }

  /** Targets that are open now. */
  get held(): string[] {
    return [...this.#open.keys()]
  }
}
