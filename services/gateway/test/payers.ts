import { randomBytes } from "node:crypto";
import { type Instant, invariant, systemClock, toNumericDate, toRfc3339 } from "@remit/kernel";
import {
  base64,
  type Challenge,
  encodeHeader,
  exactEvmPayload,
  formatCredential,
  formatSignIn,
  type Hex,
  isJsonObject,
  type JsonObject,
  mppTransferNonce,
  type PaymentRequirement,
  parseChallenges,
  parsePaymentRequired,
  signInText,
  transferDigest,
} from "@remit/protocol";
import { sandboxAddresses, sandboxKeys, sandboxTokens } from "@remit/testkit";
import { privateKeyToAccount, sign } from "viem/accounts";
import type { Answer } from "./world.ts";

export const network = "eip155:84532";
export const payer = privateKeyToAccount(sandboxKeys.payer).address.toLowerCase();

/** The sandbox's dollar, as an offers file sells for it. */
export const transferWay = {
  rail: "x402",
  network,
  asset: { address: sandboxTokens.usdc, decimals: 6, name: "USDC", version: "2" },
  pay_to: sandboxAddresses.seller,
};
export const cardWay = { rail: "card", network_id: "profile_shop" };

const lower = (text: string): Hex => text.toLowerCase() as Hex; // addresses and keys begin with 0x

export type Signing = {
  readonly to?: string;
  readonly value?: bigint;
  readonly validAfter?: number;
  readonly validBefore?: number;
  readonly nonce?: string;
  readonly key?: Hex;
};

/** A transfer as a wallet signs it: for less than the 300 s that it may, since the clock of a test stands still. */
export async function transfer(signing: Signing = {}): Promise<JsonObject> {
  const key = signing.key ?? sandboxKeys.payer;
  const authorization = {
    from: lower(privateKeyToAccount(key).address),
    to: lower(signing.to ?? sandboxAddresses.seller),
    value: signing.value ?? 10_000_000n,
    validAfter: BigInt(signing.validAfter ?? 0),
    validBefore: BigInt(signing.validBefore ?? toNumericDate(systemClock.now()) + 240),
    nonce: lower(signing.nonce ?? `0x${randomBytes(32).toString("hex")}`),
  };
  const domain = {
    name: "USDC",
    version: "2",
    chainId: 84_532,
    verifyingContract: lower(sandboxTokens.usdc),
  };
  const signature = await sign({ hash: transferDigest(domain, authorization), privateKey: key, to: "hex" });
  return exactEvmPayload({ authorization, signature });
}

/** The entry of a 402 by its scheme. */
export function entryFor(unpaid: Answer, scheme: string): PaymentRequirement {
  const { accepts } = parsePaymentRequired(String(unpaid.headers["payment-required"]));
  const entry = accepts.find((candidate) => candidate.scheme === scheme);
  invariant(entry !== undefined, `the 402 sells by ${scheme}`);
  return entry;
}

export function challengeFor(unpaid: Answer, method: string): Challenge {
  const found = parseChallenges([unpaid.headers["www-authenticate"] ?? ""].flat());
  const challenge = found.find((candidate) => candidate.method === method);
  invariant(challenge !== undefined, `the 402 challenges by ${method}`);
  return challenge;
}

export type Headers = Record<string, string>;

/** x402 v2. */
export const version2 = (
  accepted: PaymentRequirement,
  payload: JsonObject,
  identifier?: string,
): Headers => ({
  "PAYMENT-SIGNATURE": encodeHeader({
    x402Version: 2,
    accepted,
    payload,
    ...(identifier !== undefined && {
      extensions: { "payment-identifier": { info: { required: false, id: identifier } } },
    }),
  }),
});

/** x402 v1. */
export const version1 = (payment: object): Headers => ({
  "X-PAYMENT": base64.encode(JSON.stringify({ x402Version: 1, ...payment })),
});

/** The card form of the gateways that came before. */
export const cardForm = (payment: object): Headers => ({
  "X-PAYMENT": base64.encode(JSON.stringify(payment)),
});

export const mpp = (challenge: Challenge, payload: JsonObject): Headers => ({
  [challenge.header ?? "Authorization"]: formatCredential({ challenge, payload }),
});

/** Pays a 402 by a signed transfer, in x402 v2. */
export const payByTransfer = async (unpaid: Answer, identifier?: string): Promise<Headers> =>
  version2(entryFor(unpaid, "exact"), await transfer(), identifier);

/** A text that a wallet signs to say who it is, made new each time. */
export async function signIn(
  now: Instant,
  change: { readonly key?: Hex; readonly domain?: string } = {},
): Promise<Headers> {
  const account = privateKeyToAccount(change.key ?? sandboxKeys.payer);
  const domain = change.domain ?? "shop.test";
  const text = {
    domain,
    address: account.address,
    uri: `http://${domain}/demo/report`,
    version: "1" as const,
    chainId: network,
    nonce: randomBytes(16).toString("hex"),
    issuedAt: toRfc3339(now),
  };
  const signature = await account.signMessage({ message: signInText(text) });
  return { "SIGN-IN-WITH-X": formatSignIn({ signIn: text, signature }) };
}

/** The payload that answers a challenge of evm/charge. */
export async function evmPayload(challenge: Challenge): Promise<JsonObject> {
  const { authorization, signature } = await transfer({ nonce: mppTransferNonce(challenge) });
  invariant(isJsonObject(authorization) && typeof signature === "string", "a transfer is signed");
  return { type: "authorization", ...authorization, signature };
}
