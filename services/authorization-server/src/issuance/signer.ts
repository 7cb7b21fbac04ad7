import { randomFillSync } from "node:crypto";
import type { JsonObject } from "@remit/protocol";
import type { IssuerKeys } from "../keys/index.ts";

const jtiBytes = 16;
const poolBytes = 256 * jtiBytes;
const headersMax = 16;

/** Signs access tokens (RFC 9068 §2.1) and names them, with what is the same for many of them made once. */
export type Signer = {
  /** 128 random bits, fetched for many at once. */
  newJti(): string;
  sign(kid: string, claims: JsonObject): Promise<string>;
};

export function createSigner({ keys }: { readonly keys: IssuerKeys }): Signer {
  const headers = new Map<string, string>();
  const pool = Buffer.alloc(poolBytes);
  let used = poolBytes;
  const headerOf = (kid: string): string => {
    const known = headers.get(kid);
    if (known !== undefined) return known;
    const header = Buffer.from(JSON.stringify({ alg: "ES256", typ: "at+jwt", kid })).toString("base64url");
    if (headers.size >= headersMax) headers.clear();
    headers.set(kid, header);
    return header;
  };
  return {
    newJti() {
      if (used === poolBytes) {
        randomFillSync(pool);
        used = 0;
      }
      used += jtiBytes;
      return pool.toString("base64url", used - jtiBytes, used);
    },
    async sign(kid, claims) {
      const input = `${headerOf(kid)}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
      const signature = await keys.signBytes(kid, Buffer.from(input, "latin1"));
      return `${input}.${Buffer.from(signature).toString("base64url")}`;
    },
  };
}
