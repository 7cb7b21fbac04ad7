import { type Instant, minuteMs, toNumericDate } from "@remit/kernel";
import {
  contentDigestField,
  type HeaderPair,
  type OkpPublicJwk,
  type PublicJwk,
  prepareSignature,
  signatureField,
} from "@remit/protocol";
import { sha256, thumbprint } from "@remit/protocol/node";
import type { IssuerKeys } from "../keys/index.ts";

export const directoryMediaType = "application/http-message-signatures-directory+json";
export const directoryPath = "/.well-known/http-message-signatures-directory";

const tag = "http-message-signatures-directory";
const lifeMs = 5 * minuteMs;
/** How long one that was signed is handed out: whoever gets it last has as long as this to read it. */
export const handedOutMs = lifeMs / 2;

export type SignedDirectory = { readonly body: string; readonly headers: Readonly<Record<string, string>> };

/** What a directory says, to whom it is bound and by which keys: two of one name are signed alike. */
export const nameOfDirectory = (listed: readonly DirectoryKey[], { keys, targetUri }: Signing): string =>
  [new URL(targetUri).host, ...signersOf(listed, keys).map(({ kid }) => kid), JSON.stringify(listed)].join(
    " ",
  );

export type DirectoryKey = {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
  readonly use: "sig";
};

/**
 * The Ed25519 keys among these, each under its thumbprint and with nothing else about it
 * (draft-meunier-http-message-signatures-directory, "Key directory" and "Directory Content").
 */
export const directoryKeysOf = (keys: readonly (PublicJwk | undefined)[]): DirectoryKey[] =>
  keys
    .filter((jwk): jwk is OkpPublicJwk => jwk?.kty === "OKP")
    .map((jwk) => ({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, kid: thumbprint(jwk), use: "sig" }));

type Signing = {
  readonly keys: IssuerKeys;
  readonly now: Instant;
  /** The address that was asked for. */
  readonly targetUri: string;
};

/**
 * The directory's body with its signatures ("Binding keys to the directory authority"): one by each key of ours that is in
 * it, which proves that we have it, over the authority that was asked and the content. A directory of an agent's keys, whose
 * private halves we never have, is signed by our own key, which stands in our own directory.
 */
export async function signedDirectory(
  listed: readonly DirectoryKey[],
  { keys, now, targetUri }: Signing,
): Promise<SignedDirectory> {
  const body = JSON.stringify({ keys: listed });
  const digest = contentDigestField(Buffer.from(sha256(body)).toString("base64"));
  const fields: HeaderPair[] = [["content-digest", digest]];
  const message = { request: { method: "GET", targetUri }, response: { status: 200, fields } };
  const components = [{ name: "@authority", req: true }, { name: "content-digest" }];
  const times = { created: toNumericDate(now), expires: toNumericDate(now) + lifeMs / 1000 };
  const inputs: string[] = [];
  const signatures: string[] = [];
  for (const [index, { kid, thumb }] of signersOf(listed, keys).entries()) {
    const label = `binding${index}`;
    const parameters = { ...times, keyid: thumb, alg: "ed25519", tag };
    const { base, signatureInput } = prepareSignature({ label, components, parameters, message });
    const signature = await keys.signBytes(kid, Buffer.from(base));
    inputs.push(signatureInput);
    signatures.push(signatureField(label, Buffer.from(signature).toString("base64")));
  }
  const headers = {
    "content-digest": digest,
    "signature-input": inputs.join(", "),
    signature: signatures.join(", "),
  };
  return { body, headers };
}

/** Keys of ours that are in the directory and can sign; without any the one that signs now. */
function signersOf(
  listed: readonly DirectoryKey[],
  keys: IssuerKeys,
): { readonly kid: string; readonly thumb: string }[] {
  const { kid, jwk } = keys.currentKey("http-signature");
  const ours = keys
    .publicKeys("http-signature")
    .filter(({ state }) => state === "next" || state === "current")
    .map((key) => ({ kid: key.jwk.kid ?? "", thumb: thumbprint(key.jwk) }))
    .filter(({ thumb }) => listed.some((key) => key.kid === thumb));
  return ours.length > 0 ? ours : [{ kid, thumb: thumbprint(jwk) }];
}
