import { type Clock, toNumericDate } from "@remit/kernel";
import type { IssuerKeys } from "../keys/index.ts";
import type { TokenReport } from "./introspection.ts";

/** The answer of an endpoint, for whoever writes it: the core's context or a socket. */
export type TokenAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const json = "application/json";
const signed = "application/token-introspection+jwt";

type Deps = { readonly keys: IssuerKeys; readonly issuer: string; readonly clock: Clock };

/** The facts as JSON, or signed for the asker when its Accept prefers that (RFC 9701 §4). */
export async function introspectionAnswer(
  deps: Deps,
  facts: TokenReport,
  { client, accept }: { readonly client: string; readonly accept: string },
): Promise<TokenAnswer> {
  const type = prefersSigned(accept) ? signed : json;
  const body = type === json ? JSON.stringify(facts) : await sign(deps, facts, client);
  // RFC 7662 §4: what is true of a token now may not be true a moment later.
  return { status: 200, headers: { "content-type": type, "cache-control": "no-store" }, body };
}

/**
 * RFC 9701 §5: its own `typ`, the asker as `aud`, and neither `sub` nor `exp` at the top, so that it passes for no token.
 */
function sign({ keys, issuer, clock }: Deps, facts: TokenReport, client: string): Promise<string> {
  const claims = { iss: issuer, aud: client, iat: toNumericDate(clock.now()) };
  return keys.sign(
    "introspection",
    { typ: "token-introspection+jwt" },
    { ...claims, token_introspection: facts },
  );
}

/** RFC 9110 §12.5.1, for our two types: the greater weight wins, and JSON when they weigh the same. */
function prefersSigned(accept: string): boolean {
  const weightOf = (type: string): number => {
    const ranges = accept.toLowerCase().split(",");
    const range = ranges.find((each) => each.split(";", 1)[0]?.trim() === type);
    if (range === undefined) return 0;
    const weight = /;\s*q=([0-9.]+)/.exec(range)?.[1];
    return weight === undefined ? 1 : Number(weight);
  };
  return weightOf(signed) > weightOf(json);
}
