/**
 * @packageDocumentation
 * Numbers as people write and read them. Two families, never mixed:
 *
 *   exact      formatSize / parseSize, formatDuration / parseDuration: what stands in a configuration; printing and
 *              reading back gives the same number (64M, 4096, 10s, 1500ms)
 *   rounded    formatBytes, formatNanoseconds, formatCount: what stands in tables; three significant figures
 *
 * Sizes count in powers of 1024; durations are milliseconds when exact, nanoseconds when measured.
 */

const SIZE_UNITS = ['', 'K', 'M', 'G', 'T'] as const
const DURATION_UNITS = [
  { name: 'h', milliseconds: 3_600_000 },
  { name: 'm', milliseconds: 60_000 },
  { name: 's', milliseconds: 1000 },
  { name: 'ms', milliseconds: 1 },
] as const

/** Bytes of `64M`, `512KiB`, `4096`, `1.5G`; undefined when it is no size or no whole number of bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?)(?:i?B)?$/i.exec(text)
  if (!match) return undefined
  const unit = SIZE_UNITS.findIndex((name) => name === match[2].toUpperCase())
  const bytes = Number(match[1]) * 1024 ** unit
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** The shortest text that {@link parseSize} reads back as exactly `bytes`. */
export function formatSize(bytes: number): string {
  let unit = 0
  let count = bytes
  while (unit < SIZE_UNITS.length - 1 && count !== 0 && count % 1024 === 0) {
    count /= 1024
    unit++
  }
  return `${count}${SIZE_UNITS[unit]}`
}

/** Milliseconds of `250ms`, `10s`, `5m`, `1h`, and of a bare `0`; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*(ms|s|m|h)$/.exec(text)
  if (!match) return undefined
  const unit = DURATION_UNITS.find(({ name }) => name === match[2])
  const milliseconds = Number(match[1]) * (unit?.milliseconds ?? Number.NaN)
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined
}

/** The shortest text that {@link parseDuration} reads back as exactly `milliseconds`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0'
  const unit = DURATION_UNITS.find((candidate) => milliseconds % candidate.milliseconds === 0)
  return unit === undefined ? `${milliseconds}ms` : `${milliseconds / unit.milliseconds}${unit.name}`
}

/** `1.46 GiB`, rounded, for tables. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'])
}

/** `12.3k`, `4.56M`: counts and rates, rounded, for tables. */
export function formatCount(count: number): string {
  return scaled(count, 1000, ['', 'k', 'M', 'G', 'T']).replace(' ', '')
}

/** `850 ns`, `12.3 µs`, `4.56 ms`, `78.9 s`: measured times, rounded, for tables. */
export function formatNanoseconds(nanoseconds: number): string {
  return scaled(nanoseconds, 1000, ['ns', 'µs', 'ms', 's'])
}

/** Three significant figures and the unit that keeps them readable; 999.6 moves on to the next unit. */
function scaled(value: number, base: number, units: readonly string[]): string {
  if (!Number.isFinite(value)) return '-'
  let unit = 0
  let rest = value
  while (Math.abs(rest) >= base - 0.5 && unit < units.length - 1) {
    rest /= base
    unit++
  }
  const decimals = Number.isInteger(rest) || Math.abs(rest) >= 100 ? 0 : Math.abs(rest) >= 10 ? 1 : 2
  return `${rest.toFixed(decimals)} ${units[unit]}`.trimEnd()
}
