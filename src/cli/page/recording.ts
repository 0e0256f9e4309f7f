/**
 * @packageDocumentation
 * The page's data over files: opens the journals of a file or folder once, as `replay` does, and answers from them.
 */
import { nowNs } from '../../io/native/clock.js'
import { chainsToFold, openJournals } from '../../journal/journal-files.js'
import { PageApi } from '../../observe/page/page-api.js'
import { recordingSource } from '../../observe/page/source.js'
import { formatNanoseconds } from '../units.js'
import { packageVersion } from '../version.js'
import { answersOf } from './answers.js'
import type { Answers } from './answers.js'

/** @throws XbbdError 66 when there is no journal, 65 when its charts are not known. */
export function openRecording(path: string): Answers {
  const files = openJournals(path)
  chainsToFold(files, path)
  return answersOf(new PageApi(recordingSource(path, packageVersion(), files), formatNanoseconds, nowNs))
}
