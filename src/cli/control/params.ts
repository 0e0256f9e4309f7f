/**
 * @packageDocumentation
 * Reads the parameters of a control request. They come from another process and are believed in nothing: each is
 * asked for by name and type, and whatever nobody asked for is an error with a suggestion, so that a misspelt parameter
 * is never silently ignored.
 */
import { XbbdError } from '../../protocol/errors.js'
import { nearest } from '../../protocol/nearest.js'

/** One request's parameters; call the readers, then `done`. Each throws XbbdError 64. */
export class Params {
  private readonly values: Readonly<Record<string, unknown>>
  private readonly asked = new Set<string>()

  constructor(values: Readonly<Record<string, unknown>>) {
    this.values = values
  }

  /** A text of 1 to `bytesMax` characters without NUL. */
  text(name: string, bytesMax = 4096): string {
    const value = this.optionalText(name, bytesMax)
    if (value === undefined) throw bad(`the parameter ${name} is missing`)
    return value
  }

  optionalText(name: string, bytesMax = 4096): string | undefined {
    const value = this.take(name)
    if (value === undefined) return undefined
    if (typeof value !== 'string' || value === '' || value.length > bytesMax || value.includes('\0'))
      throw bad(`${name} must be a text of 1 to ${bytesMax} characters without NUL`)
    return value
  }

  /** A text that may be empty, but must be given. */
  textOrNone(name: string, bytesMax = 4096): string {
    if (this.values[name] !== '') return this.text(name, bytesMax)
    this.take(name)
    return ''
  }

  integer(name: string, min: number, max: number): number {
    const value = this.optionalInteger(name, min, max)
    if (value === undefined) throw bad(`the parameter ${name} is missing`)
    return value
  }

  optionalInteger(name: string, min: number, max: number): number | undefined {
    const value = this.take(name)
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
      throw bad(`${name} must be a whole number from ${min} to ${max}`)
    return value
  }

  /** False when it is absent. */
  flag(name: string): boolean {
    const value = this.take(name) ?? false
    if (typeof value !== 'boolean') throw bad(`${name} must be true or false`)
    return value
  }

  optionalChoice<V extends string>(name: string, choices: readonly V[]): V | undefined {
    const value = this.take(name)
    if (value === undefined) return undefined
    const found = choices.find((choice) => choice === value)
    if (found === undefined) throw bad(`${name} must be one of ${choices.join(', ')}`)
    return found
  }

  /** Some of `choices`, each at most once; empty when it is absent. */
  choices<V extends string>(name: string, choices: readonly V[]): readonly V[] {
    const value = this.take(name) ?? []
    const found = choices.filter((choice) => Array.isArray(value) && value.includes(choice))
    if (!Array.isArray(value) || found.length !== value.length)
      throw bad(`${name} must be a list of some of ${choices.join(', ')}`)
    return found
  }

  /** Refuses what was not asked for. */
  done(): void {
    for (const name of Object.keys(this.values)) {
      if (this.asked.has(name)) continue
      const guess = nearest(name, this.asked)
      throw bad(`there is no parameter ${JSON.stringify(name)}${guess ? `: did you mean ${guess}?` : ''}`)
    }
  }

  private take(name: string): unknown {
    this.asked.add(name)
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined
  }
}

function bad(sentence: string): XbbdError {
  return new XbbdError('XBBD_CONTROL_PARAMS', sentence, { exitCode: 64 })
}
