import { keccak_256 as keccak256 } from "@noble/hashes/sha3.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { concatBytes, type JsonObject, utf8 } from "../encoding/index.ts";
import { Members } from "../members.ts";

/** Bytes as Ethereum writes them: `0x` and lower-case digits. */
export type Hex = `0x${string}`;

/** What a payer signs (EIP-3009 §"transferWithAuthorization"): the token itself lets it count once. */
export type TransferAuthorization = {
  readonly from: Hex;
  readonly to: Hex;
  readonly value: bigint;
  /** Seconds since 1970; the token wants the block's time to be later. */
  readonly validAfter: bigint;
  /** Seconds since 1970; the token wants the block's time to be earlier. */
  readonly validBefore: bigint;
  readonly nonce: Hex;
};

export type SignedTransfer = {
  readonly authorization: TransferAuthorization;
  readonly signature: Hex;
  /** Of x402's `upto`: `value` is the most, of this token, and this address alone may say how much. */
  readonly permit?: { readonly token: Hex; readonly facilitator: Hex };
};

/** The EIP-712 domain of a token. */
export type TokenDomain = {
  readonly name: string;
  readonly version: string;
  readonly chainId: number;
  readonly verifyingContract: Hex;
};

export const exactScheme = "exact";

/** Names of networks in x402 v1, and what v2 (CAIP-2) calls them. */
export const evmNetworksV1: Readonly<Record<string, string>> = {
  ethereum: "eip155:1",
  sepolia: "eip155:11155111",
  base: "eip155:8453",
  "base-sepolia": "eip155:84532",
  polygon: "eip155:137",
  "polygon-amoy": "eip155:80002",
  avalanche: "eip155:43114",
  "avalanche-fuji": "eip155:43113",
};

/** The number of an EVM chain by its name in v1 or v2; undefined for what is neither. */
export function evmChainIdOf(network: string): number | undefined {
  const caip2 = Object.hasOwn(evmNetworksV1, network) ? evmNetworksV1[network] : network;
  const id = /^eip155:([1-9]\d{0,14})$/.exec(caip2 ?? "")?.[1];
  return id === undefined ? undefined : Number(id);
}

export const addressPattern = /^0x[0-9a-fA-F]{40}$/;
export const decimalPattern = /^(0|[1-9]\d{0,77})$/;
export const uint256Max = 2n ** 256n - 1n;
// A contract's wallet may want more than the 65 bytes of one key's signature (EIP-1271).
export const signaturePattern = /^0x([0-9a-fA-F]{2}){65,4096}$/;

/** Reads the payload of `exact` on an EVM chain; `credential_malformed` for anything else. Nothing in it is verified. */
export function parseExactEvmPayload(payload: JsonObject): SignedTransfer {
  const json = Members.of(payload, "credential_malformed", "payload");
  const of = json.members("authorization");
  const address = (name: string): Hex => hexOf(of.text(name, { pattern: addressPattern }));
  const number = (name: string): bigint => {
    const value = BigInt(of.text(name, { max: 78, pattern: decimalPattern }));
    return value > uint256Max ? of.refuse(name, "is more than 256 bits") : value;
  };
  return {
    authorization: {
      from: address("from"),
      to: address("to"),
      value: number("value"),
      validAfter: number("validAfter"),
      validBefore: number("validBefore"),
      nonce: hexOf(of.text("nonce", { pattern: /^0x[0-9a-fA-F]{64}$/ })),
    },
    signature: hexOf(json.text("signature", { max: 8194, pattern: signaturePattern })),
  };
}

/** The reverse: how a signed transfer travels. */
export const exactEvmPayload = ({ authorization, signature }: SignedTransfer): JsonObject => ({
  signature,
  authorization: {
    from: authorization.from,
    to: authorization.to,
    value: authorization.value.toString(),
    validAfter: authorization.validAfter.toString(),
    validBefore: authorization.validBefore.toString(),
    nonce: authorization.nonce,
  },
});

// Every pattern above begins with 0x.
export const hexOf = (text: string): Hex => text.toLowerCase() as Hex;

/** The fields of the signed message, as EIP-712 libraries want them. */
export const transferAuthorizationTypes = {
  TransferWithAuthorization: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" },
    { name: "validBefore", type: "uint256" },
    { name: "nonce", type: "bytes32" },
  ],
} as const;

const fieldsOf = (fields: readonly { readonly name: string; readonly type: string }[]): string =>
  fields.map(({ type, name }) => `${type} ${name}`).join(",");
const domainType = keccak256(
  utf8("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
);
const transferType = keccak256(
  utf8(`TransferWithAuthorization(${fieldsOf(transferAuthorizationTypes.TransferWithAuthorization)})`),
);

/** What the payer's key signs (EIP-712 §"Specification of the eth_signTypedData"): keccak-256(0x1901 ‖ domain ‖ message). */
export function transferDigest(domain: TokenDomain, of: TransferAuthorization): Hex {
  const separator = keccak256(
    concatBytes(
      domainType,
      keccak256(utf8(domain.name)),
      keccak256(utf8(domain.version)),
      word(BigInt(domain.chainId)),
      word(domain.verifyingContract),
    ),
  );
  const message = keccak256(
    concatBytes(
      transferType,
      word(of.from),
      word(of.to),
      word(of.value),
      word(of.validAfter),
      word(of.validBefore),
      word(of.nonce),
    ),
  );
  return toHex(keccak256(concatBytes(Uint8Array.of(0x19, 0x01), separator, message)));
}

/**
 * The nonce of an `authorization` credential of MPP's evm/charge: keccak256(abi.encodePacked(id, realm)), so that the
 * chain itself binds the transfer to the challenge.
 */
export const mppTransferNonce = (challenge: { readonly id: string; readonly realm: string }): Hex =>
  toHex(keccak256(concatBytes(utf8(challenge.id), utf8(challenge.realm))));

export const toHex = (bytes: Uint8Array): Hex => `0x${bytesToHex(bytes)}`;

export const word = (value: bigint | Hex): Uint8Array =>
  hexToBytes((typeof value === "bigint" ? value.toString(16) : value.slice(2)).padStart(64, "0"));
