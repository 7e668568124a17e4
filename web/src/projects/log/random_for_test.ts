// Repeatable randomness for property tests.

export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0 || 1
  }

  next(): number {
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5
    return this.state >>> 0
  }

  below(bound: number): number {
    return this.next() % bound
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
}
