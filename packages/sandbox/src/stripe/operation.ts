import type { Parameters } from "./parameters.ts";
import type { Resource } from "./resources.ts";
import type { Draft } from "./store.ts";

/** One call of the API. `forced` comes from a failure switch: the card is refused whatever it is. */
export type Call = {
  readonly draft: Draft;
  readonly parameters: Parameters;
  /** The ids of the path, in order. */
  readonly path: readonly string[];
  readonly version: string | undefined;
  readonly forced?: { readonly declineCode: string };
};

export type Page = {
  readonly object: "list";
  readonly url: string;
  readonly has_more: boolean;
  readonly data: readonly Resource[];
};

type Sum = { readonly amount: number; readonly currency: string };
export type Balance = {
  readonly object: "balance";
  readonly available: readonly Sum[];
  readonly livemode: false;
  readonly pending: readonly Sum[];
};

/** `payment_intents.create` and its like: what is called, and what it does. */
export type Operation = {
  readonly name: string;
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: RegExp;
  readonly run: (
    call: Call,
  ) => Resource | Page | Balance | { readonly id: string; readonly object: string; readonly deleted: true };
};
