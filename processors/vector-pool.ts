/** Vectors of one slab are let go of at about the same time, so few of them keep the others' memory. */
const SLAB_BYTES = 65_536
/** A larger vector has memory of its own. */
const MOST_BYTES = 8_192

/**
 * Makes float64 vectors as views of larger slabs: a typed array with memory of its own costs an allocation outside the
 * heap each. Every owner has its own pool, so that vectors that live equally long share slabs.
 */
export class VectorPool {
  #slab = new ArrayBuffer(SLAB_BYTES)
  #used = 0

  /** A vector of so many zeros. */
  take(length: number): Float64Array {
    const bytes = length * Float64Array.BYTES_PER_ELEMENT
    if (bytes > MOST_BYTES) return new Float64Array(length)
    if (this.#used + bytes > SLAB_BYTES) {
      this.#slab = new ArrayBuffer(SLAB_BYTES)
      this.#used = 0
    }
    const vector = new Float64Array(this.#slab, this.#used, length)
    this.#used += bytes
    return vector
  }

  /** A copy of these bytes. */
  bytesOf(bytes: Uint8Array): Uint8Array {
    const { buffer, byteOffset } = this.take(Math.ceil(bytes.length / Float64Array.BYTES_PER_ELEMENT))
    const copy = new Uint8Array(buffer, byteOffset, bytes.length)
    copy.set(bytes)
    return copy
  }

  copyOf(vector: Float64Array): Float64Array {
    const copy = this.take(vector.length)
    copy.set(vector)
    return copy
  }
}
