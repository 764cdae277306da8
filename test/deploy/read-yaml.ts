import { parseAllDocuments } from 'yaml'

/** The documents of a YAML file; scalars stay as they are written, nothing is an empty text. Throws where it is no YAML, or names a key twice. */
export function readYaml(source: string): readonly unknown[] {
  return [...parseAllDocuments(source, { schema: 'failsafe' })].map((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS()
  })
}
