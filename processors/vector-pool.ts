/** Vectors of one slab: they are let go of at about the same time, so few of them keep the others' memory. */
const SLAB_VECTORS = 64

/**
 * Makes float64 vectors as views of larger slabs: a typed array with memory of its own costs an allocation outside the
 * heap each. Every owner has its own pool, so that vectors that live equally long share slabs.
 */
export class VectorPool {
  readonly #length: number
  #slab: ArrayBuffer
  #used = 0

  constructor(length: number) {
    this.#length = length
    this.#slab = this.#newSlab()
  }

  /** A vector of zeros. */
  take(): Float64Array {
    if (this.#used === SLAB_VECTORS) {
      this.#slab = this.#newSlab()
      this.#used = 0
    }
    return new Float64Array(this.#slab, this.#used++ * this.#length * Float64Array.BYTES_PER_ELEMENT, this.#length)
  }

  copyOf(vector: Float64Array): Float64Array {
    const copy = this.take()
    copy.set(vector)
    return copy
  }

  #newSlab(): ArrayBuffer {
    return new ArrayBuffer(SLAB_VECTORS * this.#length * Float64Array.BYTES_PER_ELEMENT)
  }
}
