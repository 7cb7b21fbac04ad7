import { base64url } from "../encoding/index.ts";
import { checkOf, isText, keyFor, type PublicJwk, parseJws, type Unproven } from "../jose/index.ts";
import { Problem } from "../problems.ts";

/** What a checkpoint JWS (`typ: remit-checkpoint+jwt`) says of one tenant's log. */
export type AuditCheckpoint = {
  readonly v: 1;
  readonly iss: string;
  readonly jti: string;
  readonly tenant_id: string;
  readonly head_seq: number;
  readonly head_entry_hash: string;
  /** RFC 6962 root over the leaves of all entries up to the head, base64url; absent in checkpoints of older versions. */
  readonly root_hash?: string;
  /** RFC 3339. */
  readonly signed_at: string;
  readonly signer_kid: string;
};

export const checkpointTyp = "remit-checkpoint+jwt";

/** Reads a checkpoint; `keys` are the issuer's audit keys. Throws `audit_checkpoint_invalid`. */
export function examineCheckpoint(text: string, keys: readonly PublicJwk[]): Unproven<AuditCheckpoint> {
  const refuse = "audit_checkpoint_invalid";
  const jws = parseJws(text, { typ: [checkpointTyp], algs: ["ES256", "EdDSA"], refuse });
  const key = keyFor(keys, jws.header);
  if (key === undefined)
    throw new Problem(refuse, { detail: "The checkpoint's key is not one of the issuer's." });
  const { v, iss, jti, tenant_id, head_seq, head_entry_hash, root_hash, signed_at, signer_kid } = jws.payload;
  const texts =
    isText(iss) &&
    isText(jti) &&
    isText(tenant_id) &&
    isText(head_entry_hash) &&
    isText(signed_at) &&
    isText(signer_kid) &&
    (root_hash === undefined || (isText(root_hash) && isRoot(root_hash)));
  if (v !== 1 || !texts || typeof head_seq !== "number" || !Number.isSafeInteger(head_seq) || head_seq < 1)
    throw new Problem(refuse, { detail: "The checkpoint lacks a member." });
  return {
    checks: [checkOf(jws, key, refuse)],
    value: {
      v,
      iss,
      jti,
      tenant_id,
      head_seq,
      head_entry_hash,
      ...(root_hash === undefined ? {} : { root_hash }),
      signed_at,
      signer_kid,
    },
  };
}

const isRoot = (text: string): boolean => base64url.decode(text)?.length === 32;
