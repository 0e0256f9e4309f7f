/**
 * @packageDocumentation
 * The layouts as bytes, checked in: journals and rings outlive this program, so a layout changes only on purpose.
 */
import { abiLayout, ringEntries } from '../../src/protocol/abi.js'
import { canonicalise, encodeEntry } from '../../src/protocol/entry.js'
import { REASONS } from '../../src/protocol/validate.js'
import { expectGolden } from '../support/golden.js'
import { sampleRequests } from '../support/requests.js'

/** Sixteen bytes a line, with their offset. */
function dump(words: Int32Array): string {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const hex = bytes.subarray(at, at + 16).toString('hex').replace(/(.{8})(?!$)/g, '$1 ')
    lines.push(`  ${at.toString(16).padStart(2, '0')}  ${hex}`)
  }
  return lines.join('\n')
}

test.each(['x86_64', 'x86_32'] as const)('S8: entries of the %s layout, byte by byte', (name) => {
  const abi = abiLayout(name)
  const parts = [JSON.stringify(abi)]
  for (const pages of [1, 2, 4, 8, 16]) parts.push(`${pages} pages: ${ringEntries(pages, name)} entries`)
  for (const [title, request] of Object.entries(sampleRequests)) {
    const entry = new Int32Array(abi.entryWords)
    encodeEntry(request, abi, entry, 0)
    parts.push(`${title}\n${dump(entry)}`)
  }
  expectGolden(`blkif-${name}.txt`, `${parts.join('\n')}\n`)
})

test.each(['x86_64', 'x86_32'] as const)('S8: canonical records, byte by byte, the same from %s', (name) => {
  const abi = abiLayout(name)
  const parts = Object.entries(sampleRequests).map(([title, request]) => {
    const entry = new Int32Array(28)
    const record = new Int32Array(28)
    encodeEntry(request, abi, entry, 0)
    const length = canonicalise(entry, 0, abi, record, 0, 0x2b1d)
    return `${title}\n${dump(record.subarray(0, length))}`
  })
  expectGolden('blkif-canonical.txt', `${parts.join('\n')}\n`)
})

test('the numbers of verdicts stand in journals and never change', () => {
  const lines = REASONS.map(({ name, status }, code) => `${code} ${name} ${status}`)
  expectGolden('blkif-verdicts.txt', `${lines.join('\n')}\n`)
})
