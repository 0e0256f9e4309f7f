import { renderTable } from '../../src/cli/table.js'
import { terminalOn } from '../../src/cli/terminal.js'
import { pendingText } from '../../src/cli/pending.js'

test('columns are as wide as their widest cell, numbers lean right, no blanks at the end', () => {
  const columns = [{ title: 'NAME' }, { title: 'N', align: 'right' as const }, { title: 'T' }]
  expect(renderTable(columns, [['a', '1000', 'x'], ['longer', '7', '']])).toBe('NAME       N  T\na       1000  x\nlonger     7\n')
  expect(renderTable(columns, [])).toBe('NAME  N  T\n')
})

test('a guest cannot move the cursor through XenStore', () => {
  expect(renderTable([{ title: 'T' }], [['\x1b[2Jx\r\n\x9b']])).toBe('T\n·[2Jx···\n')
})

function stream(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, written, write: (text: string) => written.push(text) }
}

test('colours and renewed lines only where a person looks', () => {
  const [out, pipe, tty] = [stream(false), stream(false), stream(true)]
  const piped = terminalOn(out, pipe, {})
  piped.status('waiting')
  piped.note('done \x1b[31m')
  expect(pipe.written.join('')).toBe('xbbd: done ·[31m\n')
  const shown = terminalOn(out, tty, {})
  shown.status('waiting')
  shown.note('done')
  expect(tty.written.join('')).toBe('waiting\r\x1b[K\x1b[1mxbbd:\x1b[0m done\n')
  const plain = stream(true)
  terminalOn(out, plain, { NO_COLOR: '1' }).note('done')
  expect(plain.written.join('')).toBe('xbbd: done\n')
})

test('what is left is named with its requests, four at most', () => {
  const device = (name: string, inFlight: number) => ({ name, state: 'Parking', inFlight })
  expect(pendingText([])).toBe('nothing')
  expect(pendingText([device('vbd/5/51712', 1), device('vbd/6/51712', 0)])).toBe(
    'vbd/5/51712 (Parking, 1 request in flight), vbd/6/51712 (Parking, its front end is slow)',
  )
  expect(pendingText(Array.from({ length: 6 }, (_, i) => device(`d${i}`, 2)))).toMatch(/d3 \(Parking, 2 requests in flight\) and 2 more$/)
})
