import { keccak_256 as keccak256 } from "@noble/hashes/sha3.js";
import { concatBytes, type JsonObject, utf8 } from "../encoding/index.ts";
import { Members } from "../members.ts";
import {
  addressPattern,
  decimalPattern,
  exactEvmPayload,
  type Hex,
  hexOf,
  type SignedTransfer,
  signaturePattern,
  toHex,
  uint256Max,
  word,
} from "./exact-evm.ts";
import { exactRequirement, lowSigned, type TransferTerms } from "./exact-requirements.ts";
import type { PaymentRequirement } from "./messages.ts";

/** The scheme that settles what was used, up to what was signed (specs/schemes/upto/scheme_upto_evm.md). */
export const uptoScheme = "upto";

/** Permit2 and the proxy that may spend by it: at these addresses on every chain. Lower case. */
export const permit2Address: Hex = "0x000000000022d473030f116ddee9f6b43ac78ba3";
export const uptoProxyAddress: Hex = "0x4020a4f3b7b90cca423b9fabcc0ce57c6c240002";

const noncePattern = /^(0|[1-9]\d{0,77}|0x[0-9a-fA-F]{64})$/;

/**
 * Reads the payload of `upto` on an EVM chain: a permit that names the one facilitator who may settle it, read into the
 * members that every signed transfer has. `value` is the most that it pays. A permit for another spender is malformed:
 * nobody could settle it. Nothing in it is verified.
 */
export function parseUptoEvmPayload(payload: JsonObject): SignedTransfer {
  const json = Members.of(payload, "credential_malformed", "payload");
  const of = json.members("permit2Authorization");
  const permitted = of.members("permitted");
  const witness = of.members("witness");
  if (hexOf(of.text("spender", { pattern: addressPattern })) !== uptoProxyAddress)
    of.refuse("spender", "is not the proxy of upto");
  return {
    authorization: {
      from: addressIn(of, "from"),
      to: addressIn(witness, "to"),
      value: numberIn(permitted, "amount"),
      validAfter: numberIn(witness, "validAfter"),
      validBefore: numberIn(of, "deadline"),
      nonce: toHex(word(numberIn(of, "nonce", noncePattern))),
    },
    permit: { token: addressIn(permitted, "token"), facilitator: addressIn(witness, "facilitator") },
    signature: hexOf(json.text("signature", { max: 8194, pattern: signaturePattern })),
  };
}

const addressIn = (of: Members, name: string): Hex => hexOf(of.text(name, { pattern: addressPattern }));

function numberIn(of: Members, name: string, pattern = decimalPattern): bigint {
  const value = BigInt(of.text(name, { max: 78, pattern }));
  return value > uint256Max ? of.refuse(name, "is more than 256 bits") : value;
}

/** The same, of whose two spellings only the one with the low `s` is taken. */
export const parsePermit = (payload: JsonObject): SignedTransfer => lowSigned(parseUptoEvmPayload(payload));

/** How a signed transfer travels in x402, by its own scheme. */
export function transferPayload(transfer: SignedTransfer): JsonObject {
  const { authorization, permit, signature } = transfer;
  if (permit === undefined) return exactEvmPayload(transfer);
  return {
    signature,
    permit2Authorization: {
      from: authorization.from,
      permitted: { token: permit.token, amount: authorization.value.toString() },
      spender: uptoProxyAddress,
      nonce: BigInt(authorization.nonce).toString(),
      deadline: authorization.validBefore.toString(),
      witness: {
        to: authorization.to,
        facilitator: permit.facilitator,
        validAfter: authorization.validAfter.toString(),
      },
    },
  };
}

/** The entry of a 402 for `upto`: the most that is paid, and who alone may settle it. */
export function uptoRequirement(
  terms: TransferTerms & { readonly facilitator: string },
  binding?: string,
): PaymentRequirement {
  const { extra, ...rest } = exactRequirement(terms, binding);
  const more = { assetTransferMethod: "permit2", facilitatorAddress: terms.facilitator };
  return { ...rest, scheme: uptoScheme, extra: { ...extra, ...more } };
}

const digestOf = (text: string): Uint8Array => keccak256(utf8(text));
const permissionsText = "TokenPermissions(address token,uint256 amount)";
const witnessText = "Witness(address to,address facilitator,uint256 validAfter)";
const types = {
  domain: digestOf("EIP712Domain(string name,uint256 chainId,address verifyingContract)"),
  name: digestOf("Permit2"),
  permissions: digestOf(permissionsText),
  witness: digestOf(witnessText),
  // EIP-712 §"Definition of encodeType": the types that it refers to follow in the order of their names.
  permit: digestOf(
    "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)" +
      `${permissionsText}${witnessText}`,
  ),
};

/** What the payer's key signs: Permit2's own message, and the witness of x402's proxy in it (EIP-712). */
export function permitDigest(
  chainId: number,
  { authorization, permit }: Required<Omit<SignedTransfer, "signature">>,
): Hex {
  const { to, value, validAfter, validBefore, nonce } = authorization;
  const { token, facilitator } = permit;
  const hashed = (...parts: readonly Uint8Array[]): Uint8Array => keccak256(concatBytes(...parts));
  const domain = hashed(types.domain, types.name, word(BigInt(chainId)), word(permit2Address));
  const message = hashed(
    types.permit,
    hashed(types.permissions, word(token), word(value)),
    word(uptoProxyAddress),
    word(nonce),
    word(validBefore),
    hashed(types.witness, word(to), word(facilitator), word(validAfter)),
  );
  return toHex(hashed(Uint8Array.of(0x19, 0x01), domain, message));
}
