import { randomBytes } from "node:crypto";
import { systemClock, toNumericDate } from "@remit/kernel";
import {
  exactEvmPayload,
  type Hex,
  type JsonObject,
  permitDigest,
  transferDigest,
  transferPayload,
} from "@remit/protocol";
import { sandboxAddresses, sandboxKeys, sandboxTokens } from "@remit/sandbox";
import { privateKeyToAccount, sign } from "viem/accounts";

/** What may be other than in a good payment: in what the payer signs, and under `required` in what was asked for. */
export type TransferChanges = {
  readonly from?: string;
  readonly to?: string;
  readonly value?: bigint;
  readonly validAfter?: number;
  readonly validBefore?: number;
  readonly nonce?: Hex;
  readonly token?: string;
  readonly key?: Hex;
  readonly domain?: { readonly name?: string; readonly version?: string; readonly chainId?: number };
  readonly required?: Readonly<Record<string, unknown>>;
};

export type SignedPayment = {
  readonly payload: JsonObject;
  readonly requirements: {
    readonly scheme: string;
    readonly network: string;
    readonly amount: string;
    readonly asset: string;
    readonly payTo: string;
    readonly maxTimeoutSeconds: number;
    readonly extra: Readonly<Record<string, string>>;
  };
};

/** What an agent's wallet makes of what it is asked for: an EIP-3009 authorization over 1,000 units, good for a minute. */
export async function signTransfer(changes: TransferChanges = {}): Promise<SignedPayment> {
  const { value = 1000n, token = sandboxTokens.usdc, key = sandboxKeys.payer } = changes;
  const nowS = toNumericDate(systemClock.now());
  const authorization = {
    from: lower(changes.from ?? sandboxAddresses.payer),
    to: lower(changes.to ?? sandboxAddresses.seller),
    value,
    validAfter: BigInt(changes.validAfter ?? 0),
    validBefore: BigInt(changes.validBefore ?? nowS + 60),
    nonce: changes.nonce ?? (`0x${randomBytes(32).toString("hex")}` as const),
  };
  const domain = { name: "USDC", version: "2", chainId: 84_532, ...changes.domain };
  const hash = transferDigest({ ...domain, verifyingContract: lower(token) }, authorization);
  const signature = await sign({ hash, privateKey: key, to: "hex" });
  return {
    payload: exactEvmPayload({ authorization, signature }),
    requirements: {
      scheme: "exact",
      network: "eip155:84532",
      amount: value.toString(),
      asset: token,
      payTo: sandboxAddresses.seller,
      maxTimeoutSeconds: 60,
      extra: { name: "USDC", version: "2" },
      ...changes.required,
    },
  };
}

/** The same for what is priced by use: a permit of which the sandbox's facilitator may take up to 1,000 units (`upto`). */
export async function signPermit(
  changes: TransferChanges & { readonly facilitator?: string } = {},
): Promise<SignedPayment> {
  const { value = 1000n, token = sandboxTokens.usdc, key = sandboxKeys.payer } = changes;
  const { facilitator = sandboxAddresses.facilitator } = changes;
  const authorization = {
    from: lower(changes.from ?? privateKeyToAccount(key).address),
    to: lower(changes.to ?? sandboxAddresses.seller),
    value,
    validAfter: BigInt(changes.validAfter ?? 0),
    validBefore: BigInt(changes.validBefore ?? toNumericDate(systemClock.now()) + 60),
    nonce: changes.nonce ?? (`0x${randomBytes(32).toString("hex")}` as const),
  };
  const permit = { token: lower(token), facilitator: lower(facilitator) };
  const hash = permitDigest(changes.domain?.chainId ?? 84_532, { authorization, permit });
  const signature = await sign({ hash, privateKey: key, to: "hex" });
  return {
    payload: transferPayload({ authorization, permit, signature }),
    requirements: {
      scheme: "upto",
      network: "eip155:84532",
      amount: value.toString(),
      asset: token,
      payTo: sandboxAddresses.seller,
      maxTimeoutSeconds: 60,
      extra: { name: "USDC", version: "2", facilitatorAddress: facilitator },
      ...changes.required,
    },
  };
}

const lower = (address: string): Hex => address.toLowerCase() as Hex; // an address stays one
