/**
 * @packageDocumentation
 * 64 bits that stand for everything a run did: two 32-bit mixers over the same words with different odd factors. It is
 * no defence against anybody; it says whether two runs of one seed were one run, and costs a few operations a word.
 */
export class RunDigest {
  private a = 0x243f6a88
  private b = 0x13198a2e

  word(word: number): void {
    this.a = Math.imul(this.a ^ word, 0x9e3779b1)
    this.a ^= this.a >>> 15
    this.b = Math.imul(this.b ^ word, 0x85ebca6b)
    this.b ^= this.b >>> 13
  }

  words(words: ArrayLike<number>, from = 0, to = words.length): void {
    for (let at = from; at < to; at++) this.word(words[at])
  }

  text(text: string): void {
    for (let at = 0; at < text.length; at++) this.word(text.charCodeAt(at))
    this.word(text.length)
  }

  /** Sixteen hexadecimal digits. */
  hex(): string {
    return [this.a, this.b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }
}
