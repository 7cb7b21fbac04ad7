import { createHash, createHmac } from "node:crypto";
import type { Secret } from "@remit/kernel";

export type AwsCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret<string>;
  /** Of credentials that end. */
  readonly sessionToken?: Secret<string>;
};

export type Signing = {
  readonly credentials: AwsCredentials;
  readonly region: string;
  readonly service: string;
  /** `20150830T123600Z`. */
  readonly at: string;
};

export type ToSign = {
  readonly method: string;
  readonly url: URL;
  /** In lower case, without `host`. All of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Uint8Array, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();

/** The headers of a request with those of AWS Signature Version 4 beside them, for an address without a query. */
export function signedHeaders(
  { method, url, headers, body }: ToSign,
  { credentials, region, service, at }: Signing,
): Record<string, string> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const sent = {
    ...headers,
    "x-amz-date": at,
    ...(sessionToken === undefined ? {} : { "x-amz-security-token": sessionToken.reveal() }),
  };
  const all = Object.entries({ ...sent, host: url.host }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const names = all.map(([name]) => name).join(";");
  const lines = all.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}\n`).join("");
  const canonical = [method, url.pathname, "", lines, names, hashOf(body)].join("\n");
  const scope = `${at.slice(0, 8)}/${region}/${service}/aws4_request`;
  const key = scope.split("/").reduce<string | Uint8Array>(hmac, `AWS4${secretAccessKey.reveal()}`);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${at}\n${scope}\n${hashOf(canonical)}`).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...sent, authorization };
}
