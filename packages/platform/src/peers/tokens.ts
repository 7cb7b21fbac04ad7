import { monotonicMs, secondMs } from "@remit/kernel";
import { isJsonObject, Problem, parseJson, type Scope } from "@remit/protocol";
import { makeClientAssertion, makeDpopProof } from "@remit/protocol/node";
import type { OutboundAnswer } from "../outbound/index.ts";
import type { MintToken, PeerOptions } from "./options.ts";

type Token = { readonly token: string; readonly leftMs: number };
/** `untilMs` is monotonic: a clock that goes back lets no token outlive its expiry (K08). */
type Kept = { readonly token: string; readonly untilMs: number };

/** Tokens of this client, one per (audience, scope), asked for once however many calls wait for it. */
export type Tokens = {
  get(audience: string, scope: Scope): Promise<string>;
  forget(audience: string, scope: Scope): void;
};

export type TokensOptions = PeerOptions & { readonly thumbprint: string };

// A token that expires while its request travels would be refused for nothing.
const spareMs = 30 * secondMs;

export function createTokens(options: TokensOptions): Tokens {
  const kept = new Map<string, Promise<Kept>>();
  const get = async (audience: string, scope: Scope): Promise<string> => {
    const name = `${audience} ${scope}`;
    const asked = kept.get(name) ?? ask(options, { audience, scope });
    kept.set(name, asked);
    try {
      const { token, untilMs } = await asked;
      if (monotonicMs(options.clock) < untilMs) return token;
    } catch (error) {
      // Whoever asks next starts anew; those who waited share this failure.
      if (kept.get(name) === asked) kept.delete(name);
      throw error;
    }
    if (kept.get(name) === asked) kept.delete(name);
    return get(audience, scope);
  };
  return { get, forget: (audience, scope) => void kept.delete(`${audience} ${scope}`) };
}

async function ask(options: TokensOptions, wanted: { audience: string; scope: Scope }): Promise<Kept> {
  const askedMs = monotonicMs(options.clock);
  const { token, leftMs } =
    options.mint === undefined ? await request(options, wanted) : await minted(options, options.mint, wanted);
  if (leftMs <= spareMs)
    throw new Problem("unavailable", { private: { because: "the issuer's token expires at once" } });
  return { token, untilMs: askedMs + leftMs - spareMs };
}

async function minted(
  { clock, thumbprint }: TokensOptions,
  mint: MintToken,
  wanted: { audience: string; scope: Scope },
): Promise<Token> {
  const { token, expiresAt } = await mint({ ...wanted, thumbprint });
  return { token, leftMs: expiresAt - clock.now() };
}

/** RFC 6749 §4.4 with RFC 7523, RFC 8707 and RFC 9449 §8: the server may want its own nonce in the proof. */
async function request(options: TokensOptions, wanted: { audience: string; scope: Scope }): Promise<Token> {
  const first = await post(options, wanted, undefined);
  const nonce = first.headers["dpop-nonce"];
  const answer =
    first.status === 400 && nonce !== undefined && errorOf(first) === "use_dpop_nonce"
      ? await post(options, wanted, nonce)
      : first;
  const body = answer.status === 200 ? parseJson(answer.body, { refuse: "unavailable" }) : undefined;
  const { access_token, expires_in, token_type } = isJsonObject(body) ? body : {};
  if (
    typeof access_token !== "string" ||
    typeof expires_in !== "number" ||
    typeof token_type !== "string" ||
    token_type.toLowerCase() !== "dpop"
  )
    throw new Problem("unavailable", {
      private: {
        because: "the issuer gave no bound token",
        status: answer.status,
        error: errorOf(answer),
        ...wanted,
      },
    });
  return { token: access_token, leftMs: Math.floor(expires_in * secondMs) };
}

function post(
  { issuer, clientId, assertionKey, dpopKey, clock, outbound }: TokensOptions,
  { audience, scope }: { audience: string; scope: Scope },
  nonce: string | undefined,
): Promise<OutboundAnswer> {
  const url = `${issuer}/oauth/token`;
  const now = clock.now();
  const proof = { key: dpopKey, method: "POST", url, now };
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: clientId,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: makeClientAssertion({ clientId, audience: issuer, now, key: assertionKey }),
    resource: audience,
    scope,
  });
  return outbound.request({
    method: "POST",
    url,
    headers: {
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      dpop: makeDpopProof(nonce === undefined ? proof : { ...proof, nonce }),
    },
    body: form.toString(),
  });
}

/** The OAuth error code of a refusal, for the log; undefined when the answer is no JSON object. */
function errorOf({ status, headers, body }: OutboundAnswer): string | undefined {
  if (status < 400 || !(headers["content-type"] ?? "").includes("json")) return undefined;
  const json = parseJson(body, { refuse: "unavailable" });
  const error = isJsonObject(json) ? json["error"] : undefined;
  return typeof error === "string" ? error : undefined;
}
