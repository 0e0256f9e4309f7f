/**
 * @packageDocumentation
 * The identity of a chart: 16 hexadecimal digits of the SHA-256 over its configuration as JSON. It stands in
 * generated code and in journal headers, so that a program notices code generated from another chart, and a replay a
 * journal written under another law.
 *
 * Keys keep the order in which the chart is written, because that order is part of the law: it numbers the states and
 * orders regions. Descriptions are left out: correcting a sentence must not make yesterday's journal a stranger.
 */
import { XbbdError } from '../../protocol/errors.js'
import { sha256 } from './sha256.js'
import type { Chart } from './xstate-view.js'

/**
 * The chart's configuration, without a first context that is computed from an actor's input: the one function that a
 * chart which is not compiled may hold.
 */
export function configOf(chart: Chart): Readonly<Record<string, unknown>> {
  const { context, ...config } = chart.config as Readonly<Record<string, unknown>>
  return typeof context === 'function' || context === undefined ? config : chart.config
}

/** @returns the chart's configuration as JSON, without descriptions. @throws {TypeError} where it is not plain data. */
export function canonicalJson(chart: Chart): string {
  return JSON.stringify(configOf(chart), (key, value: unknown) => {
    if (typeof value === 'function' || typeof value === 'bigint' || typeof value === 'symbol')
      throw new TypeError(`chart ${chart.id}: ${key} is a ${typeof value}, not plain data`)
    return key === 'description' && typeof value === 'string' ? undefined : value
  })
}

/** SHA-256 of a text, as hexadecimal digits. */
export type HashText = (text: string) => string

/**
 * @param hashText - the platform's, where it has one: ours takes 9 ms for all charts in a process that has just begun.
 * @returns 16 hexadecimal digits. @throws {TypeError} for a chart with inline guards or actions.
 */
export function chartHash(chart: Chart, hashText: HashText = sha256): string {
  return hashText(canonicalJson(chart)).slice(0, 16)
}

/** To be called at start, before the generated step is used. @throws {XbbdError} XBBD_CHART_STALE. */
export function requireCurrentChart(chart: Chart, generatedHash: string, hashText?: HashText): void {
  const hash = chartHash(chart, hashText)
  if (hash === generatedHash) return
  throw new XbbdError(
    'XBBD_CHART_STALE',
    `the generated code of chart ${chart.id} is of ${generatedHash}, the chart is ${hash}: run npm run charts`,
  )
}
