import { type Id, type Instant, minuteMs, secondMs } from "@remit/kernel";
import { clientAssertionType, Problem, type PublicJwk, readClientAssertion } from "@remit/protocol";
import { sha256b64url, verifyClientAssertion } from "@remit/protocol/node";
import { type Client, credentialsAt } from "./clients.ts";
import type { KnownClient, KnownClients } from "./known-clients.ts";
import type { Secrets } from "./secrets.ts";

/** What of a request says which client sends it. Whoever hands it over has refused what was sent twice. */
export type Presented = {
  readonly authorization: string | undefined;
  readonly form: Readonly<Record<string, string | undefined>>;
};

/** A client that proved itself, as far as this process knows it; still to be confirmed with what it used up. */
export type Authenticated = {
  readonly known: KnownClient;
  readonly method: "client_secret" | "private_key_jwt";
  /** The first use of its assertion, to be claimed. */
  readonly firstUse: string | undefined;
};

export type ClientAuthentication = {
  /**
   * The client, if the request proves it in the plain way: one secret or one assertion, nothing unusual about either.
   * Anything else is undefined, and nothing has been claimed: the core decides what it is, and says so.
   */
  authenticate(presented: Presented, now: Instant): Promise<Authenticated | undefined>;
};

type Deps = {
  readonly known: KnownClients;
  readonly secrets: Secrets;
  readonly issuer: string;
  /** What an assertion may name beside the issuer; its sender may think of the endpoint it calls. */
  readonly endpoint: string;
  /** Told which credential of an agent was used. */
  readonly used: UsedCredential;
};

export type UsedCredential = (tenant: Id<"tenant">, credential: Id<"credential">, now: Instant) => void;

export const createClientAuthentication = (deps: Deps): ClientAuthentication => ({
  async authenticate(presented, now) {
    const { client_secret: secret, client_assertion: assertion } = presented.form;
    const ways = [presented.authorization, secret, assertion].filter((way) => way !== undefined);
    if (ways.length !== 1) return undefined;
    return assertion === undefined
      ? bySecret(deps, presented, now)
      : byAssertion(deps, { form: presented.form, assertion, now });
  },
});

async function bySecret(deps: Deps, presented: Presented, now: Instant): Promise<Authenticated | undefined> {
  const { known } = deps;
  const pair = pairOf(presented);
  if (pair === undefined) return undefined;
  const found = await known.find(pair.id);
  if (found?.client.live !== true) return undefined;
  if (!hasSecret(deps, found.client, { secret: pair.secret, now })) {
    known.doubt(found);
    return undefined;
  }
  return { known: found, method: "client_secret", firstUse: undefined };
}

function hasSecret(
  { secrets, used }: Deps,
  client: Client,
  { secret, now }: { secret: string; now: Instant },
): boolean {
  if (client.secretDigest !== undefined) return secrets.matches(secret, client.secretDigest);
  const found = credentialsAt(client, now).find(
    (one) => one.kind === "secret" && secrets.matches(secret, one.digest),
  );
  if (found !== undefined) used(client.tenant, found.id, now);
  return found !== undefined;
}

// Without characters that RFC 6749 §2.3.1 would have encoded, so that there is one way to read them.
const basic = /^Basic ([A-Za-z0-9+/]{4,1024}={0,2})$/;
const plain = /^[A-Za-z0-9._~-]{1,512}$/;

function pairOf({ authorization, form }: Presented): { id: string; secret: string } | undefined {
  let id = form["client_id"];
  let secret = form["client_secret"];
  if (authorization !== undefined) {
    const encoded = basic.exec(authorization)?.[1] ?? "";
    const text = Buffer.from(encoded, "base64");
    if (text.toString("base64") !== encoded) return undefined;
    const colon = text.indexOf(":");
    const named = text.toString("latin1", 0, Math.max(0, colon));
    if (id !== undefined && id !== named) return undefined;
    id = named;
    secret = text.toString("latin1", colon + 1);
  }
  if (id === undefined || secret === undefined || !plain.test(id) || !plain.test(secret)) return undefined;
  return { id, secret };
}

type Asserted = { readonly form: Presented["form"]; readonly assertion: string; readonly now: Instant };

async function byAssertion(
  { known, issuer, endpoint, used }: Deps,
  { form, assertion, now }: Asserted,
): Promise<Authenticated | undefined> {
  if (form["client_assertion_type"] !== clientAssertionType) return undefined;
  const claimed = refusedAsUndefined(() => readClientAssertion(assertion));
  if (claimed === undefined) return undefined;
  const { sub: id, nbf } = claimed.payload;
  if (typeof id !== "string" || (form["client_id"] ?? id) !== id) return undefined;
  // The core allows less for clocks here than we do elsewhere.
  if (typeof nbf === "number" && nbf > now / secondMs) return undefined;
  const found = await known.find(id);
  if (found?.client.live !== true) return undefined;
  const keys = keysOf(found.client, now);
  const verifyWith = (jwk: PublicJwk) =>
    refusedAsUndefined(() =>
      verifyClientAssertion({
        assertion: claimed,
        clientId: id,
        audiences: [issuer, endpoint],
        keys: [jwk],
        now,
      }),
    );
  let verified: ReturnType<typeof verifyWith>;
  for (const { jwk, credential } of keys) {
    verified = verifyWith(jwk);
    if (verified !== undefined && credential !== undefined) used(found.client.tenant, credential, now);
    if (verified !== undefined) break;
  }
  if (verified === undefined) known.doubt(found);
  if (verified === undefined || verified.jti.length > jtiLengthMax) return undefined;
  return { known: found, method: "private_key_jwt", firstUse: firstUseOf(id, verified.jti) };
}

type Key = { readonly jwk: PublicJwk; readonly credential: Id<"credential"> | undefined };

/** What an assertion may be signed with: the key of the client's row first. */
function keysOf(client: Client, now: Instant): Key[] {
  const { assertion } = client;
  const own =
    assertion !== undefined && "jwk" in assertion ? [{ jwk: assertion.jwk, credential: undefined }] : [];
  const more = credentialsAt(client, now).flatMap((one) =>
    one.kind === "key" ? [{ jwk: one.jwk, credential: one.id }] : [],
  );
  return [...own, ...more];
}

const jtiLengthMax = 255;

/** What `work` returns, or undefined when it refuses: the core will say why. */
export function refusedAsUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** The name of an assertion's or a proof's first use: the one that the core claims too (`oidc/adapter.ts`). */
export const firstUseOf = (client: string, jti: string): string => `oauth:${sha256b64url(client + jti)}`;

/** Client assertions live at most 300 s and proofs 60 s, so a first use is remembered for longer than any replay. */
export const replayMemoryMs = 15 * minuteMs;
