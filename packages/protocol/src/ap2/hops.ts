import { type Digest, isJsonObject, type JsonObject } from "../encoding/index.ts";
import {
  algOf,
  checkOf,
  isNumericDate,
  isText,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  type SignatureCheck,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { openClaims, type SdJwtParts, splitSdJwt } from "../sd-jwt/index.ts";

/** One link of a chain of Delegate SD-JWTs. */
export type Hop = SdJwtParts & {
  /** Of the text with its disclosures: what `sd_hash` of the next link names, and an AP2 receipt as its `reference`. */
  readonly digest: string;
};

const invalid = (detail: string): Problem => new Problem("export_mandate_invalid", { detail });

/** An open mandate and the closed one that was made of it, joined by `~~`. */
export function twoHops(text: string, digest: Digest): readonly [open: Hop, closed: Hop] {
  const [open, closed, ...more] = text.split("~~");
  if (open === undefined || closed === undefined || more.length > 0)
    throw invalid("It is not an open mandate and a closed one, joined by ~~.");
  return [hopOf(`${open}~`, digest), hopOf(closed, digest)];
}

function hopOf(text: string, digest: Digest): Hop {
  const parts = splitSdJwt(text);
  if (parts === undefined || parts.keyBinding !== undefined)
    throw invalid("A mandate of the chain is not an SD-JWT without a key binding of its own.");
  return { ...parts, digest: digest(text) };
}

/** The content of a mandate: what it delegates, where it does, else its claims. */
export function contentOf(payload: JsonObject, hop: Hop, digest: Digest): JsonObject {
  const { claims } = openClaims(payload, hop.disclosures, { digest, refuse: "export_mandate_invalid" });
  const delegated = claims["delegate_payload"];
  if (delegated === undefined) return claims;
  const only = Array.isArray(delegated) && delegated.length === 1 ? delegated[0] : undefined;
  if (!isJsonObject(only)) throw invalid("A mandate delegates exactly one content, which is disclosed.");
  return only;
}

/** The key that alone may close it (RFC 7800 §3.2). */
export function holderOf({ cnf }: JsonObject): PublicJwk {
  const holder = isJsonObject(cnf) ? parsePublicJwk(cnf["jwk"]) : undefined;
  if (holder === undefined) throw invalid("The open mandate names no key that may close it.");
  return holder;
}

export type Closed = {
  readonly check: SignatureCheck;
  readonly content: JsonObject;
  /** Seconds. */
  readonly iat: number;
};

/** The last link: signed with the key of the open mandate, about exactly that one, and handed on to nobody. */
export function examineClosed(
  hop: Hop,
  { open, holder, digest }: { readonly open: Hop; readonly holder: PublicJwk; readonly digest: Digest },
): Closed {
  const rules = { typ: ["kb+sd-jwt"], algs: [algOf(holder)], refuse: "export_mandate_invalid" } as const;
  const jws = parseJws(hop.jws, rules);
  const { iat, aud, nonce, sd_hash: whole, issuer_jwt_hash: bare } = jws.payload;
  if (!isNumericDate(iat) || !isText(aud) || !isText(nonce))
    throw invalid("A closed mandate says iat, aud and nonce.");
  if ((whole === undefined) === (bare === undefined))
    throw invalid("A closed mandate has either sd_hash or issuer_jwt_hash.");
  const named = whole ?? bare;
  if (named !== (whole === undefined ? digest(open.jws) : open.digest))
    throw invalid("The closed mandate is of another open mandate.");
  const content = contentOf(jws.payload, hop, digest);
  if (content["cnf"] !== undefined) throw invalid("A closed mandate is handed on to nobody.");
  return { check: checkOf(jws, holder, "export_mandate_invalid"), content, iat };
}
