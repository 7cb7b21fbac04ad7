import type { Id, Instant } from "@remit/kernel";
import type { ProblemCode } from "@remit/protocol";
import type { Caller } from "./route.ts";

/** A request to a declared route, by a caller who is known. */
export type Followable = {
  readonly requestId: Id<"request">;
  readonly at: Instant;
  readonly caller: Caller;
  readonly method: string;
  /** As it was declared: `/api/v1/agents/:id`. */
  readonly route: string;
  /** As it was sent, without its query. */
  readonly path: string;
};

/** 499 when the caller left before all of the answer was sent. */
export type Outcome = {
  readonly status: number;
  readonly seconds: number;
  readonly problem: ProblemCode | undefined;
};

/** One request that is followed from when its caller is known until it has been answered. */
export type Followed = {
  /** Runs its work, so that what is recorded there may be known to belong to it. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Once. Must neither throw nor wait: the request has been answered. */
  answered(outcome: Outcome): void;
};

export type Follow = (request: Followable) => Followed;

const whose = new WeakMap<object, Caller>();

/** Notes whose token it was that did not suffice, so that the refusal can be told to them. */
export function refusedTo<E extends object>(refusal: E, caller: Caller): E {
  whose.set(refusal, caller);
  return refusal;
}

/** Whose token a refusal was about, where that is known. */
export const callerRefusedBy = (error: unknown): Caller | undefined =>
  typeof error === "object" && error !== null ? whose.get(error) : undefined;
