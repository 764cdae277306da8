/** Which n-grams of a text are hashed, and into how many columns. */
export interface NgramSettings {
  /** Columns of the row: a power of two. */
  readonly width: number
  /** Word n-grams of 1 to this many words. */
  readonly maxWords: number
  /** Character n-grams of each word with its borders, from and to (inclusive); to < from: none. */
  readonly minCharacters: number
  readonly maxCharacters: number
}

/** Words and their pairs carry the meaning; 3 to 5 characters carry stems and spare the typing errors. */
export const NGRAMS: NgramSettings = { width: 4096, maxWords: 2, minCharacters: 3, maxCharacters: 5 }

const LETTERS = /[\p{L}\p{N}']+/gu

/**
 * Writes a text as one dense row into `into` (float32 [width], overwritten): each distinct n-gram counts once, at a hashed column
 * with a hashed sign (Weinberger et al. 2009), and the row has length 1 (a text without words: all zeros).
 * Nothing is fitted, so a text gives the same row for ever, and new words need no new columns.
 */
export function encodeText(text: string, settings: NgramSettings, into: Float32Array): void {
  const { width, maxWords, minCharacters, maxCharacters } = settings
  if (into.length !== width || (width & (width - 1)) !== 0)
    throw new Error(`A row of ${into.length} columns is not a power of two of ${width}.`)
  into.fill(0)
  const words = text.toLowerCase().match(LETTERS) ?? []
  const grams = new Set<string>()
  words.forEach((word, i) => {
    for (let count = 1; count <= maxWords && i + count <= words.length; count++)
      grams.add(`w ${words.slice(i, i + count).join(' ')}`)
    const bordered = `<${word}>`
    for (let size = minCharacters; size <= maxCharacters; size++)
      for (let from = 0; from + size <= bordered.length; from++) grams.add(`c ${bordered.slice(from, from + size)}`)
  })
  for (const gram of grams) {
    const hash = murmurMix(fnv1a(gram))
    const column = hash & (width - 1)
    into[column] = into[column]! + (hash >>> 31 === 0 ? 1 : -1)
  }
  let squares = 0
  for (const value of into) squares += value * value
  if (squares === 0) return
  const scale = 1 / Math.sqrt(squares)
  for (let i = 0; i < width; i++) into[i] = into[i]! * scale
}

/** FNV-1a over UTF-16 code units, 32 bits. */
function fnv1a(text: string): number {
  let hash = 2166136261
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619)
  return hash
}

/** MurmurHash3's last step: every bit of the input changes every bit of the output, so that sign and column are independent. */
function murmurMix(input: number): number {
  let hash = input ^ (input >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
