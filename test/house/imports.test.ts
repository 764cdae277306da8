import { describe, expect, it } from 'vitest'
import { filesBelow, importsOf, packageOf, sourceFolders } from './source-files.ts'

/** What each folder may import of ours, besides itself. */
const mayImport: Readonly<Record<(typeof sourceFolders)[number], readonly string[]>> = {
  cli: ['scenarios', 'streams', 'processors', 'gpu', 'graph', 'schemas'],
  scenarios: ['streams', 'processors', 'gpu', 'graph', 'schemas'],
  streams: ['processors', 'gpu', 'graph', 'schemas'],
  processors: ['schemas'],
  gpu: ['schemas'],
  graph: ['schemas'],
  schemas: [],
}

/** The only files that may name a package of someone else. What is not listed here may be imported nowhere. */
const adapterOf: Readonly<Record<string, RegExp>> = {
  '@platformatic/kafka': /^streams\/event-log\/kafka-link-platformatic\.ts$/,
  '@kafkajs/confluent-schema-registry': /^streams\/codec\/registry[^/]*\.ts$/,
  '@node-rs/crc32': /^streams\/event-log\/kafka[^/]*\.ts$/,
  avsc: /^(streams\/codec\/|schemas\/registration\.ts$)/,
  bullmq: /^streams\/jobs\/bullmq[^/]*\.ts$/,
  commander: /^cli\//,
  ioredis: /^streams\/state\/redis[^/]*\.ts$/,
  kafkajs: /^streams\/event-log\/kafka[^/]*\.ts$/,
  'lz4-napi': /^streams\/event-log\/kafka[^/]*\.ts$/,
  'neo4j-driver': /^graph\/(.+\/)?neo4j[^/]*\.ts$/,
  'node:sqlite': /^streams\/(event-log|state)\/sqlite[^/]*\.ts$/,
  'onnxruntime-node': /^gpu\/onnx-[^/]*\.ts$/,
  pino: /^cli\//,
  'prom-client': /^cli\//,
  snappyjs: /^streams\/event-log\/kafka[^/]*\.ts$/,
  // Run by hand to write processors/learners/ftrl-simd-bytes.ts; nothing imports it.
  wabt: /^processors\/learners\/build-simd\.ts$/,
  zod: /^(cli|scenarios|gpu|streams\/input)\//,
}

const files = sourceFolders.flatMap((folder) => filesBelow(folder, ['.ts', '.mjs']))

describe('imports', () => {
  it('go one way: cli → scenarios → streams → processors, gpu, graph → schemas', () => {
    const wrong = files.flatMap((file) => {
      const folder = folderOf(file.path) as (typeof sourceFolders)[number]
      return importsOf(file)
        .filter((path) => isOurs(path) && folderOf(path) !== folder && !mayImport[folder].includes(folderOf(path)))
        .map((path) => `${file.path} imports ${path}`)
    })
    expect(wrong).toEqual([])
  })

  it('name a package only in the adapter that is made for it', () => {
    // `rheo doctor` finds out whether the packages load at all, so it has to name them.
    const adapters = files.filter(({ path }) => path !== 'cli/examine.ts')
    const wrong = adapters.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => !isOurs(specifier))
        .map(packageOf)
        .filter((name) => (name.startsWith('node:') ? adapterOf[name] !== undefined : true))
        .filter((name) => !adapterOf[name]?.test(file.path))
        .map((name) => `${file.path} imports ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('never reach from the sources into tests or benchmarks', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((path) => /^(test|bench)\//.test(path))
        .map((path) => `${file.path} imports ${path}`),
    )
    expect(wrong).toEqual([])
  })

  it('are seen by these rules at all', () => {
    const example = {
      path: 'processors/example.ts',
      text: '',
      code: "import type { A } from '../streams/packing.ts'\nexport { b } from 'kafkajs'\nawait import('node:sqlite')",
    }
    expect(importsOf(example)).toEqual(['streams/packing.ts', 'kafkajs', 'node:sqlite'])
    expect(files.length).toBeGreaterThan(50)
  })
})

function isOurs(path: string): boolean {
  return path.startsWith('../') || /\.(ts|mjs|json)$/.test(path)
}

function folderOf(path: string): string {
  return path.split('/')[0]!
}
