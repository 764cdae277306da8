/** Text that is HTML or SVG already and is not escaped again. */
export interface Markup {
  readonly markup: string
}

type Content = string | number | Markup | null | readonly Content[]

/**
 * Template tag for HTML and SVG: strings put into it are escaped, for text and for quoted attributes alike; markup is
 * kept; lists are joined; null is nothing; numbers are rounded to two decimals (coordinates).
 *
 * @throws RangeError for a number that is not finite: it would make a broken drawing
 */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  let markup = parts[0]!
  for (let i = 0; i < values.length; i++) markup += render(values[i]!) + parts[i + 1]!
  return { markup }
}

function render(content: Content): string {
  if (content === null) return ''
  if (typeof content === 'string') return escapeText(content)
  if (typeof content === 'number') {
    if (!Number.isFinite(content)) throw new RangeError(`${content} cannot be drawn`)
    return String(Math.round(content * 100) / 100)
  }
  if ('markup' in content) return content.markup
  return content.map(render).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

// C0 and C1 controls but tab and line feed, and what reorders text: no title or fact needs them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g

function escapeText(text: string): string {
  return text.replace(unsafe, '\ufffd').replace(/[&<>"']/g, (char) => entities[char]!)
}
