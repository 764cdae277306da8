import type { OnnxAttribute, OnnxModel, OnnxNode } from '../../gpu/train/onnx-encoder.ts'

/** A decision tree: rows with feature ≤ threshold go to `below`; missing ones (NaN) to `missing`. */
export type Tree =
  | { readonly value: number }
  | {
      readonly feature: number
      readonly threshold: number
      readonly missing: 'below' | 'above'
      readonly below: Tree
      readonly above: Tree
    }

interface FlatNode {
  readonly tree: number
  readonly id: number
  readonly node: Tree
  below: number
  above: number
}

function flatten(trees: readonly Tree[]): readonly FlatNode[] {
  return trees.flatMap((root, tree) => {
    const nodes: FlatNode[] = []
    const place = (node: Tree): number => {
      const flat: FlatNode = { tree, id: nodes.length, node, below: 0, above: 0 }
      nodes.push(flat)
      if ('feature' in node) {
        flat.below = place(node.below)
        flat.above = place(node.above)
      }
      return flat.id
    }
    place(root)
    return nodes
  })
}

const ints = (value: readonly number[]): OnnxAttribute => ({ kind: 'ints', value })
const floats = (value: readonly number[]): OnnxAttribute => ({ kind: 'floats', value })

function nodeAttributes(nodes: readonly FlatNode[]): Record<string, OnnxAttribute> {
  const splits = nodes.map(({ node }) => ('feature' in node ? node : null))
  return {
    nodes_treeids: ints(nodes.map(({ tree }) => tree)),
    nodes_nodeids: ints(nodes.map(({ id }) => id)),
    nodes_featureids: ints(splits.map((split) => split?.feature ?? 0)),
    nodes_values: floats(splits.map((split) => split?.threshold ?? 0)),
    nodes_modes: { kind: 'texts', value: splits.map((split) => (split === null ? 'LEAF' : 'BRANCH_LEQ')) },
    nodes_truenodeids: ints(nodes.map(({ below }) => below)),
    nodes_falsenodeids: ints(nodes.map(({ above }) => above)),
    nodes_missing_value_tracks_true: ints(splits.map((split) => (split?.missing === 'below' ? 1 : 0))),
  }
}

function leafAttributes(nodes: readonly FlatNode[], prefix: 'target' | 'class'): Record<string, OnnxAttribute> {
  const leaves = nodes.flatMap(({ tree, id, node }) => ('value' in node ? [{ tree, id, value: node.value }] : []))
  return {
    [`${prefix}_treeids`]: ints(leaves.map(({ tree }) => tree)),
    [`${prefix}_nodeids`]: ints(leaves.map(({ id }) => id)),
    [`${prefix}_ids`]: ints(leaves.map(() => 0)),
    [`${prefix}_weights`]: floats(leaves.map(({ value }) => value)),
  }
}

function treeModel(node: OnnxNode, width: number, outputs: OnnxModel['outputs']): OnnxModel {
  return {
    name: 'trees',
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', width] }],
    outputs,
    initializers: [],
    nodes: [node],
    domains: { 'ai.onnx.ml': 3 },
    opset: null,
  }
}

/** `p` float32 [batch, 1]: the sum of the leaves that a row falls into. */
export function treeRegressor(trees: readonly Tree[], width: number): OnnxModel {
  const nodes = flatten(trees)
  const attributes: Record<string, OnnxAttribute> = {
    ...nodeAttributes(nodes),
    ...leafAttributes(nodes, 'target'),
    n_targets: { kind: 'int', value: 1 },
  }
  return treeModel(
    { op: 'TreeEnsembleRegressor', domain: 'ai.onnx.ml', inputs: ['x'], outputs: ['p'], attributes },
    width,
    [{ name: 'p', type: 'float32', shape: ['batch', 1] }],
  )
}

/** As exporters write a boosted binary classifier: `label` int64 [batch], and `probabilities` float32 [batch, 2]. */
export function treeClassifier(trees: readonly Tree[], width: number): OnnxModel {
  const nodes = flatten(trees)
  const attributes: Record<string, OnnxAttribute> = {
    ...nodeAttributes(nodes),
    ...leafAttributes(nodes, 'class'),
    classlabels_int64s: ints([0, 1]),
    post_transform: { kind: 'text', value: 'LOGISTIC' },
  }
  return treeModel(
    {
      op: 'TreeEnsembleClassifier',
      domain: 'ai.onnx.ml',
      inputs: ['x'],
      outputs: ['label', 'probabilities'],
      attributes,
    },
    width,
    [
      { name: 'label', type: 'int64', shape: ['batch'] },
      { name: 'probabilities', type: 'float32', shape: ['batch', 2] },
    ],
  )
}

/** The slow, obvious oracle. */
export function leafSum(trees: readonly Tree[], row: ArrayLike<number>): number {
  const fall = (tree: Tree): number => {
    if ('value' in tree) return tree.value
    const value = row[tree.feature]!
    const below = Number.isNaN(value) ? tree.missing === 'below' : value <= Math.fround(tree.threshold)
    return fall(below ? tree.below : tree.above)
  }
  return trees.reduce((sum, tree) => sum + fall(tree), 0)
}
