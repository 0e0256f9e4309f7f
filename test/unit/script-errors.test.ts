import { parseScript } from '../../src/script/parse.js'

/** The message for a slip of the pen: sentence, line, caret. */
function complaint(text: string): string {
  try {
    parseScript(text, 'x.xbf')
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

test('an error has file, line, column, a caret below the word, and the cure', () => {
  expect(complaint('connect\n  put red at 0\n')).toBe(
    [
      'x.xbf:2:7: there is no operation red: use one of read, write, barrier, flush, discard, indirect, op, raw; ' +
        'did you mean read?',
      '    put red at 0',
      '        ^^^',
    ].join('\n'),
  )
})

test.each([
  ['conect', '1:1: there is no statement conect', 'did you mean connect?'],
  ['put read at', '1:12: the line ends where a sector was expected', ''],
  ['put read at 1 at 2', '1:15: at stands twice in this line', ''],
  ['put read at 0x10000000000000000', '1:13: a sector is a whole number of at most 64 bits', ''],
  ['put read segments q', '1:19: no page before this line is called q', 'make one (page q)'],
  ['page a\nput read segments a:9', '2:19: a segment is a page, or sectors of it', ''],
  ['page a\nput read sectors 8 segments a', '2:29: sectors makes fresh pages, segments names them', ''],
  ['page okay', '1:6: okay is a word of the language', ''],
  ['put read as r\nexpect q okay', '2:8: no request before this line is called q', 'use one of r'],
  ['put read as r\nexpect r okey', '2:10: okey is neither a request before this line nor a status', 'did you mean okay?'],
  ['put read as r\nexpect r okay soon', '2:15: the statement is over here', ''],
  ['wait 5', '1:6: a time has a unit', ''],
  ['disk size 100', '1:11: a size is whole sectors', ''],
  ['connect pages 3', '1:15: a ring has 1, 2, 4, 8 or 16 pages', ''],
  ['repeat 2\nconnect', '1:8: this repeat does not end', ''],
  ['end', '1:1: there is no repeat for this end', ''],
  ['key a "b', '1:7: a quoted word does not end', ''],
  ['state connected', '1:7: there is no state connected', 'did you mean Connected?'],
  ['index req_prod x', '1:16: an index is a number of 32 bits', ''],
])('%j', (text, place, cure) => {
  expect(complaint(text)).toContain(`x.xbf:${place}`)
  expect(complaint(text)).toContain(cure)
})
