/** FTRL-Proximal in float64, written as the paper states it (algorithm 1), slow and obvious: the tests' oracle. */
export class ReferenceFtrl {
  readonly #alpha: number
  readonly #beta: number
  readonly #lambda1: number
  readonly #lambda2: number
  readonly #z = new Map<number, number>()
  readonly #n = new Map<number, number>()

  constructor(alpha: number, beta: number, lambda1: number, lambda2: number) {
    this.#alpha = alpha
    this.#beta = beta
    this.#lambda1 = lambda1
    this.#lambda2 = lambda2
  }

  weight(i: number): number {
    const z = this.#z.get(i) ?? 0
    const n = this.#n.get(i) ?? 0
    if (Math.abs(z) <= this.#lambda1) return 0
    return -(z - Math.sign(z) * this.#lambda1) / ((this.#beta + Math.sqrt(n)) / this.#alpha + this.#lambda2)
  }

  logit(indices: readonly number[], values: readonly number[]): number {
    return indices.reduce((sum, index, i) => sum + this.weight(index) * values[i]!, 0)
  }

  learn(indices: readonly number[], values: readonly number[], label: 0 | 1): number {
    const logit = this.logit(indices, values)
    const p = 1 / (1 + Math.exp(-logit))
    const weights = indices.map((index) => this.weight(index))
    indices.forEach((index, i) => {
      const g = (p - label) * values[i]!
      const n = this.#n.get(index) ?? 0
      const sigma = (Math.sqrt(n + g * g) - Math.sqrt(n)) / this.#alpha
      this.#z.set(index, (this.#z.get(index) ?? 0) + g - sigma * weights[i]!)
      this.#n.set(index, n + g * g)
    })
    return logit
  }
}
