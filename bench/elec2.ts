/**
 * Parity of the FTRL learner: `node bench/elec2.ts elec2.csv.gz` prints the progressive log loss on the Electricity data
 * (Harries 1999) with a bias and the six raw values. The paper's algorithm, and Vowpal Wabbit's --ftrl, give 0.623859.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { Ftrl } from '../processors/learners/ftrl.ts'
import { logLoss, sigmoid } from '../processors/learners/sigmoid.ts'

const file = process.argv[2]
if (file === undefined) {
  console.error('usage: node bench/elec2.ts FILE.csv[.gz], with the label in the column `class`')
  process.exit(2)
}
const bytes = readFileSync(file)
const [header = '', ...rows] = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().trim().split('\n')
const labelColumn = header.split(',').indexOf('class')

const learner = new Ftrl({ bits: 4, alpha: 0.1, beta: 1, lambda1: 1, lambda2: 1 })
const indices = Uint32Array.from({ length: 7 }, (_, i) => i)
const values = new Float32Array(7)
let loss = 0
let correct = 0
for (const row of rows) {
  const cells = row.split(',').map(Number)
  const label = cells[labelColumn] === 1 ? 1 : 0
  values.set([1, ...cells.filter((_, column) => column !== labelColumn)])
  const logit = learner.learn(indices, values, 7, label)
  loss += logLoss(logit, label)
  if (sigmoid(logit) >= 0.5 === (label === 1)) correct++
}
console.log(`rows ${rows.length}`)
console.log(`progressive log loss ${(loss / rows.length).toFixed(6)}`)
console.log(`progressive accuracy ${(correct / rows.length).toFixed(4)}`)
