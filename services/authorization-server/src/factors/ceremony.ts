import type { Id } from "@remit/kernel";
import { Problem, parseJson } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server";
import { z } from "zod";

/** The relying party of all ceremonies: our origin, and its host as the id that passkeys are bound to (WebAuthn §5.1.2). */
export type RelyingParty = { readonly origin: string; readonly id: string };

export const relyingPartyOf = (issuer: string): RelyingParty => ({
  origin: issuer,
  id: new URL(issuer).hostname,
});

/** What is kept of a passkey, sealed. */
export type Credential = {
  readonly id: string;
  /** COSE key, base64url. */
  readonly publicKey: string;
  readonly transports: readonly string[];
  readonly name: string;
};

const base64url = z
  .string()
  .max(16_384)
  .regex(/^[\w-]*$/);
const id = base64url.min(1).max(1_400);
const common = { id, rawId: id, type: z.literal("public-key") };
const results = z.looseObject({});
const Registration = z.looseObject({
  ...common,
  response: z.looseObject({
    clientDataJSON: base64url,
    attestationObject: base64url,
    transports: z.array(z.string().max(32)).max(8).default([]),
  }),
  clientExtensionResults: results,
});
const Assertion = z.looseObject({
  ...common,
  response: z.looseObject({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
    userHandle: base64url.max(128).nullish(),
  }),
  clientExtensionResults: results,
});

const bytesMax = 24_576;
export const refusedPasskey = (why: string): Problem =>
  new Problem("passkey_refused", { detail: "The passkey was not accepted. Try again.", private: { why } });

function parse<S extends z.ZodType>(schema: S, text: string): z.output<S> {
  const parsed = schema.safeParse(parseJson(Buffer.from(text, "utf8"), { bytesMax }));
  if (!parsed.success) throw refusedPasskey("not a credential");
  return parsed.data;
}

/** The library says no by throwing; why is for our log. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw refusedPasskey(error instanceof Error ? error.message : "unknown");
  }
}

// ES256 and Ed25519 as everywhere here, and RS256 because Windows Hello has nothing else.
const algorithms = [-7, -8, -257];

/** Asks for a discoverable passkey (§5.4.4) with user verification: it replaces name and password. No attestation. */
export async function creationOptions(
  party: RelyingParty,
  given: {
    person: { id: Id<"account">; email: string; name: string };
    challenge: Uint8Array<ArrayBuffer>;
    existing: readonly Credential[];
  },
): Promise<string> {
  const { person, challenge, existing } = given;
  const options = await generateRegistrationOptions({
    rpName: "Remit",
    rpID: party.id,
    userID: new Uint8Array(Buffer.from(person.id, "utf8")),
    userName: person.email,
    userDisplayName: person.name,
    challenge,
    attestationType: "none",
    excludeCredentials: existing.map((one) => ({ id: one.id, transports: [...one.transports] })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    supportedAlgorithmIDs: algorithms,
    timeout: 300_000,
  });
  return JSON.stringify(options);
}

export type Created = {
  readonly credential: Omit<Credential, "name">;
  readonly signCount: number;
  readonly deviceBound: boolean;
};

/** WebAuthn §7.1. */
export async function checkCreation(
  party: RelyingParty,
  { text, challenge }: { text: string; challenge: Uint8Array },
): Promise<Created> {
  const response = parse(Registration, text);
  const { registrationInfo } = await refusing(() =>
    verifyRegistrationResponse({
      response,
      expectedChallenge: Buffer.from(challenge).toString("base64url"),
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms,
    }),
  );
  if (registrationInfo === undefined) throw refusedPasskey("not verified");
  const { credential, credentialDeviceType } = registrationInfo;
  return {
    credential: {
      id: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString("base64url"),
      transports: response.response.transports,
    },
    signCount: credential.counter,
    deviceBound: credentialDeviceType === "singleDevice",
  };
}

/** `allowed`: one account's passkeys; without them, any passkey of this site (usernameless). */
export async function requestOptions(
  party: RelyingParty,
  given: {
    challenge: Uint8Array<ArrayBuffer>;
    allowed?: readonly Credential[];
    verification: "required" | "preferred";
  },
): Promise<string> {
  const { challenge, allowed, verification } = given;
  const options = await generateAuthenticationOptions({
    rpID: party.id,
    challenge,
    userVerification: verification,
    timeout: 300_000,
    ...(allowed === undefined
      ? {}
      : { allowCredentials: allowed.map((one) => ({ id: one.id, transports: [...one.transports] })) }),
  });
  return JSON.stringify(options);
}

export type AssertionRead = {
  readonly credentialDigest: Uint8Array;
  /** The account that the authenticator names, if it does. */
  readonly userHandle: string | undefined;
  readonly response: z.output<typeof Assertion>;
};

/** Reads an answer far enough to know whose key must verify it. */
export function readAssertion(text: string): AssertionRead {
  const response = parse(Assertion, text);
  const { userHandle } = response.response;
  return {
    credentialDigest: sha256(Buffer.from(response.id, "base64url")),
    userHandle: userHandle ? Buffer.from(userHandle, "base64url").toString("utf8") : undefined,
    response,
  };
}

export type Asserted = { readonly signCount: number; readonly userVerified: boolean };

/** WebAuthn §7.2, but for the counter, which the database judges. */
export async function checkAssertion(
  party: RelyingParty,
  given: {
    read: AssertionRead;
    challenge: Uint8Array;
    credential: Credential;
    verification: "required" | "preferred";
  },
): Promise<Asserted> {
  const { read, challenge, credential, verification } = given;
  const { verified, authenticationInfo } = await refusing(() =>
    verifyAuthenticationResponse({
      // As above.
      response: read.response as unknown as AuthenticationResponseJSON,
      expectedChallenge: Buffer.from(challenge).toString("base64url"),
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      credential: {
        id: credential.id,
        publicKey: new Uint8Array(Buffer.from(credential.publicKey, "base64url")),
        counter: 0,
      },
      requireUserVerification: verification === "required",
    }),
  );
  if (!verified) throw refusedPasskey("the signature does not verify");
  const { newCounter, userVerified } = authenticationInfo;
  return { signCount: newCounter, userVerified };
}
