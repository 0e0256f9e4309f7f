/**
 * @packageDocumentation
 * Could this version go on from the journal of a queue that another process serves right now? Asked before that one
 * lets go of anything, and answered by the code that would do it: the same judgement, the same fold, the same upcasts.
 *
 *   newest segment, as it is ─► judgeLegacy ─► foldLegacy to the last sealed batch ─► nothing, or why not
 *
 * The writer writes on meanwhile. What stands behind the last commit word is not looked at, so a segment that is read
 * from its beginning to its end can be folded at any moment; one that was recycled under the reader's eyes cannot, and
 * is read again. Nothing is kept of the fold: what counts is the journal as it stands when the other has let go.
 */
import { foldLegacy, judgeLegacy } from './legacy.js'

/** Why this version could not go on from a journal with these words; undefined when it could. `boot`: of now. */
export function rehearse(words: Int32Array, boot: string): string | undefined {
  const legacy = judgeLegacy(words, boot)
  switch (legacy.kind) {
    case 'rested':
      return undefined
    case 'recoverable': {
      const folded = foldLegacy(words)
      return folded.ok ? undefined : folded.sentence
    }
    case 'refused':
      // Whoever serves it: it is being closed.
      return legacy.lost ? undefined : legacy.sentence
    default:
      return legacy.sentence
  }
}
