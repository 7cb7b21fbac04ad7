/** Thrown when Remit itself is wrong. Never the caller's fault: the edge answers 500 and the log has the text. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/** Asserts a promise of ours, in production too. The text says what holds, not what broke. */
export function invariant(holds: unknown, promise: string): asserts holds {
  if (!holds) throw new InvariantViolation(`broken promise: ${promise}`);
}

/** Ends a switch over a closed set, so that a new case stops the build. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unreachable case: ${JSON.stringify(value)}`);
}
