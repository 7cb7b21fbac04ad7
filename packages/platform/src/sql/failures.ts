import { Problem } from "@remit/protocol";

const retryAfterS = 2;

/** A failure of the database or the way to it, for the caller; what we know of it stays in our log. */
export const unavailable = (why: string, cause?: unknown): Problem =>
  new Problem("unavailable", {
    private: { why },
    headers: { "retry-after": String(retryAfterS) },
    cause,
  });

const codeOf = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
};

// Appendix A of the PostgreSQL manual: 08 is the connection, 53 resources, 57014 and 55P03 our own
// limits, 57P the operator, 58 the system, 25P03 and 25P04 too long a transaction, 25006 a server that is read-only.
const troubleClasses = /^(08|53|57P|58)|^(57014|55P03|25P03|25P04|25006)$/;
const troubleOfNode = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)/;
const troubleOfDriver =
  /connection terminated|timeout exceeded when trying to connect|read timeout|not queryable|connection error/i;

/** True when trying again later may help and the request is not to blame. */
export function isTrouble(error: unknown): boolean {
  const code = codeOf(error);
  if (troubleClasses.test(code) || troubleOfNode.test(code)) return true;
  if (error instanceof AggregateError) return error.errors.some(isTrouble);
  return code === "" && error instanceof Error && troubleOfDriver.test(error.message);
}

/** Another transaction held a lock for longer than this one may wait. */
export const lacksLock = (error: unknown): boolean => codeOf(error) === "55P03";

/** PostgreSQL asks for the same transaction once more: serialisation failure, deadlock. */
export const asksForRetry = (error: unknown): boolean => ["40001", "40P01"].includes(codeOf(error));

/**
 * A migration of another process changed the columns of a statement that this connection has prepared: PostgreSQL
 * refuses it there for ever, and the driver prepares it anew only on another connection.
 */
export const isStalePlan = (error: unknown): boolean =>
  codeOf(error) === "0A000" && error instanceof Error && error.message.includes("cached plan");

/** True when the statement broke this constraint (23505, 23503, 23514, 23P01). */
export function violates(error: unknown, constraint: string): boolean {
  if (!codeOf(error).startsWith("23")) return false;
  return error instanceof Error && "constraint" in error && error.constraint === constraint;
}

export const asRefusal = (error: unknown): unknown =>
  isTrouble(error) ? unavailable(error instanceof Error ? error.message : String(error), error) : error;
