/**
 * @packageDocumentation
 * How wide a text will be, without a font at hand: advance widths of a wide sans serif (DejaVu Sans, Verdana), in
 * thousandths of the font's size. Viewers have other fonts, nearly all of them narrower; so a label is never wider than
 * the room that was kept for it, whatever draws it.
 *
 * A picture must come out the same on every machine, or the test that compares it with what is checked in could not
 * be kept: so no font of the machine is asked.
 */
import type { LineStyle } from './scene.js'

/** From blank to tilde. */
const ASCII = [
  318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636,
  636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295,
  295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838,
  500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521,
  392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
]
const OTHERS = 1000
const BOLD = 1.15

/** Sizes of the letters and of the lines that they stand in, in pixels. */
interface Font {
  readonly size: number
  readonly line: number
  readonly bold: boolean
}

export const FONT: Readonly<Record<LineStyle, Font>> = {
  name: { size: 14, line: 20, bold: true },
  part: { size: 11, line: 14, bold: true },
  note: { size: 11, line: 15, bold: false },
  law: { size: 11, line: 15, bold: false },
}

/** The width of `text` in pixels, never less than what is drawn. */
export function textWidth(text: string, style: LineStyle): number {
  const letters = [...text.replaceAll('\u00a0', ' ')]
  const thousandths = letters.reduce((sum, letter) => sum + (ASCII[letter.charCodeAt(0) - 32] ?? OTHERS), 0)
  const { size, bold } = FONT[style]
  return Math.ceil((thousandths * size * (bold ? BOLD : 1)) / 1000)
}

/** `text` in lines of at most `width` pixels, broken at blanks; a longer word has a line of its own. */
export function wrap(text: string, style: LineStyle, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && textWidth(`${last} ${word}`, style) <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
