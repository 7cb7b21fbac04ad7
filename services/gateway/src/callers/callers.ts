import { randomBytes } from "node:crypto";
import { type Clock, type Instant, toRfc3339 } from "@remit/kernel";
import { type Authenticate, resourceServer } from "@remit/platform/http";
import type { KeySource } from "@remit/platform/outbound";
import { type Mac, Problem, type SignedIn, signInHeader, signInWindowS } from "@remit/protocol";
import type { Merchant } from "../offers/index.ts";
import type { Withheld } from "../proxy/index.ts";
import type { ContractJudge } from "./contracts.ts";
import { isSessionToken, openSession, type Session, walletOfSession } from "./sessions.ts";
import { ofAuthorization, ofHeader, ofText, signedInAt } from "./wallets.ts";

/** What a gate has found out about who calls: what the upstream is told of it, and what it does not get. */
export type Admitted = {
  /** Flat list of header names and values. */
  readonly identity: readonly string[];
  readonly withheld: Withheld;
};

/** Whoever it is. */
export const anybody: Admitted = { identity: [], withheld: new Set() };

/** A request at a gate. */
export type Visit = {
  readonly merchant: Merchant;
  readonly method: string;
  /** The merchant's origin and the path, without query: what a DPoP proof is for. */
  readonly url: string;
  readonly now: Instant;
  /** The one value of a header; a header sent twice refuses the request. */
  header(name: string): string | undefined;
};

export type Callers = {
  /** Lets in who says who it is: by a Remit access token for this origin, or by a wallet's signature. 401 says how. */
  admit(visit: Visit): Promise<Admitted>;
  /** A session of a day for a signed text (EIP-4361) that has not been used. */
  signIn(visit: Visit, text: string, signature: string): Promise<Session>;
  /** The wallet that a request is signed by, with a text that has not been used or in a session; undefined without either. */
  walletOf(visit: Visit): Promise<string | undefined>;
  /** The refusal of what one wallet alone may have, with how it signs in. */
  askWallet(problem: Problem, visit: Visit): Problem;
};

export type CallersDeps = {
  readonly issuer: string;
  readonly issuerKeys: KeySource;
  readonly claim: (key: string, until: Instant) => Promise<boolean>;
  readonly sessionMac: Mac;
  readonly nonceSecret: Uint8Array;
  readonly judge: ContractJudge;
  readonly clock: Clock;
};

const asWallet: Withheld = new Set();
const asToken: Withheld = new Set(["authorization", "dpop"]);

export function createCallers(deps: CallersDeps): Callers {
  const tokens = new WeakMap<Merchant, Authenticate>();
  const tokensOf = (merchant: Merchant): Authenticate => {
    const known = tokens.get(merchant) ?? tokenGate(deps, merchant);
    tokens.set(merchant, known);
    return known;
  };
  return {
    admit: async (visit) => {
      const authorization = visit.header("authorization");
      try {
        if (visit.header("sign-in-with-x") !== undefined && /^(?:siwx|dpop) /i.test(authorization ?? ""))
          throw twice();
        const signed = await signedBy(deps, visit);
        if (signed !== undefined) return admittedAs(signed.wallet, signed.withheld);
        const caller = await bearerOf(tokensOf(visit.merchant), visit, authorization);
        return { identity: ["X-Remit-Agent", caller], withheld: asToken };
      } catch (error) {
        throw error instanceof Problem && error.status === 401 ? withSignIn(error, visit) : error;
      }
    },
    signIn: async (visit, text, signature) => {
      const wallet = await useOnce(deps, visit, ofText(text, signature));
      return openSession(deps.sessionMac, { ...at(visit), wallet });
    },
    walletOf: async (visit) => (await signedBy(deps, visit))?.wallet,
    askWallet: withSignIn,
  };
}

const tokenGate = (
  { issuer, issuerKeys, claim, nonceSecret, clock }: CallersDeps,
  { origin }: Merchant,
): Authenticate =>
  resourceServer({
    issuer,
    audience: origin,
    keys: issuerKeys,
    claim,
    nonceSecret,
    clock,
    metadataUrl: null,
  });

/** The agent whose access token, bound to its key and meant for this origin, came with a fresh proof (RFC 9449 §7). */
async function bearerOf(
  authenticate: Authenticate,
  visit: Visit,
  authorization: string | undefined,
): Promise<string> {
  const { method, url, now } = visit;
  const credentials = { method, url, now, authorization, dpop: visit.header("dpop") };
  const { caller } = await authenticate(credentials, { scope: "oid4ac:payment" });
  return caller.client;
}

/** The wallet that says so itself, in whichever header, and what the upstream is not to see of that. */
async function signedBy(
  deps: CallersDeps,
  visit: Visit,
): Promise<{ readonly wallet: string; readonly withheld: Withheld } | undefined> {
  const signed = visit.header("sign-in-with-x");
  if (signed !== undefined)
    return { wallet: await useOnce(deps, visit, ofHeader(signed)), withheld: asWallet };
  const [, scheme = "", value = ""] = /^(\S+) +(.*)$/.exec(visit.header("authorization") ?? "") ?? [];
  const kind = scheme.toLowerCase();
  if (kind === "siwx")
    return { wallet: await useOnce(deps, visit, ofAuthorization(value)), withheld: asToken };
  if (kind !== "bearer" || !isSessionToken(value)) return undefined;
  return { wallet: walletOfSession(deps.sessionMac, value, at(visit)), withheld: asToken };
}

/** The wallet of a signed text that nobody has used before, on any replica. */
async function useOnce({ claim, judge }: CallersDeps, visit: Visit, signed: SignedIn): Promise<string> {
  const { name, firstUse } = await signedInAt(signed, { ...at(visit), judge });
  if (!(await claim(firstUse.key, firstUse.until)))
    throw new Problem("sign_in_invalid", {
      detail: "The text has been used; sign another one, with a nonce of its own.",
    });
  return name;
}

const at = ({ merchant, now }: Visit): { readonly origin: string; readonly now: Instant } => ({
  origin: merchant.origin,
  now,
});

const admittedAs = (wallet: string, withheld: Withheld): Admitted => ({
  identity: ["X-Verified-Wallet", wallet],
  withheld,
});

const twice = (): Problem =>
  new Problem("invalid_request", { detail: "Say who you are in one way: by a token, or by a signature." });

/** The refusal with both ways in: the token's challenge, and what a wallet is to sign. */
function withSignIn(problem: Problem, { merchant, url, now }: Visit): Problem {
  const domain = new URL(merchant.origin).host;
  const info = {
    domain,
    uri: url,
    version: "1",
    nonce: randomBytes(16).toString("hex"),
    issuedAt: toRfc3339(now),
  };
  const supportedChains = [
    { chainId: "eip155:8453", type: "eip191" },
    { chainId: "eip155:84532", type: "eip191" },
  ];
  const challenge = `SIWX domain="${domain}", window="${signInWindowS}"`;
  return new Problem(problem.code, {
    ...(problem.detail !== undefined && { detail: problem.detail }),
    ...(problem.private !== undefined && { private: problem.private }),
    cause: problem,
    headers: {
      ...problem.headers,
      "WWW-Authenticate": [problem.headers?.["WWW-Authenticate"], challenge].filter(Boolean).join(", "),
    },
    extra: {
      ...problem.extra,
      extensions: { "sign-in-with-x": { info, supportedChains, header: signInHeader } },
    },
  });
}
