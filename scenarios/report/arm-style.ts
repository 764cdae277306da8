/** How an arm is told apart: by colour, and without colour by its line. */
export interface ArmStyle {
  /** "self-optimising" for `selfOptimising`. */
  readonly label: string
  /** CSS class of its lines, points and swatches. */
  readonly className: string
}

/** The arm that the page is about stands out: the second of two, or the only one. The others step back. */
export function armStyles(names: readonly string[]): ArmStyle[] {
  const subject = names.length === 1 ? 0 : 1
  return names.map((name, index) => ({
    label: spoken(name),
    className: index === subject ? 'arm subject' : 'arm base',
  }))
}

function spoken(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase()
}

/** The first letter as at the start of a sentence. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
