import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { KmsRefusal } from "./refusal.ts";

export type KmsRequest = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
};

export type Credentials = { readonly id: string; readonly secret: string; readonly token?: string };

const parts =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([\w-]+)\/kms\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;
const signedAlways = ["content-type", "host", "x-amz-date", "x-amz-target"];
const skewMsMax = 15 * 60 * 1000;

/** Whether somebody that we know signed this request as Signature Version 4 has it; throws what KMS answers if not. */
export function authenticate(
  { path, headers, body }: KmsRequest,
  { known, now }: { known: (id: string) => Credentials | undefined; now: number },
): void {
  const [, id = "", day = "", region = "", names = "", signature = ""] =
    parts.exec(one(headers["authorization"])) ?? [];
  if (signature === "")
    throw new KmsRefusal("IncompleteSignatureException", "Authorization header is not as it must be");
  const who = known(id);
  if (who === undefined || (who.token ?? "") !== one(headers["x-amz-security-token"]))
    throw new KmsRefusal(
      "UnrecognizedClientException",
      "The security token included in the request is invalid.",
    );
  const signed = names.split(";");
  if (!signedAlways.every((name) => signed.includes(name)))
    throw new KmsRefusal("InvalidSignatureException", "a header that must be signed is not");
  const at = one(headers["x-amz-date"]);
  const time = Date.parse(at.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, "$1-$2-$3:$4:$5"));
  if (!at.startsWith(day) || !(Math.abs(now - time) <= skewMsMax))
    throw new KmsRefusal("InvalidSignatureException", "Signature expired");
  const canonical = [
    "POST",
    path,
    "",
    ...signed.map((name) => `${name}:${one(headers[name]).trim()}`),
    "",
    names,
    createHash("sha256").update(body).digest("hex"),
  ].join("\n");
  const scope = `${day}/${region}/kms/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", at, scope, createHash("sha256").update(canonical).digest("hex")].join(
    "\n",
  );
  let key: Buffer = Buffer.from(`AWS4${who.secret}`);
  for (const step of [day, region, "kms", "aws4_request"])
    key = createHmac("sha256", key).update(step).digest();
  const right = createHmac("sha256", key).update(text).digest();
  if (!timingSafeEqual(right, Buffer.from(signature, "hex")))
    throw new KmsRefusal("InvalidSignatureException", "The request signature we calculated does not match");
}

const one = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? value.join(",") : (value ?? "");
