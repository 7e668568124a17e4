// When to ask for more of a log: fast while it grows, slower while it rests, slowest after errors. Pure.

export const FASTEST_MS = 500
export const SLOWEST_MS = 3000
const SLOWEST_AFTER_ERROR_MS = 15_000

export class Pace {
  private delay = FASTEST_MS
  private failures = 0

  // An answer came; `grew`: it had bytes in it.
  answered(grew: boolean): number {
    this.failures = 0
    this.delay = grew ? FASTEST_MS : Math.min(SLOWEST_MS, Math.round(this.delay * 1.5))
    return this.delay
  }

  failed(): number {
    this.failures += 1
    return Math.min(SLOWEST_AFTER_ERROR_MS, FASTEST_MS * 2 ** Math.min(this.failures, 6))
  }
}
