import { fromNumericDate, type Id, type Instant, toNumericDate } from "@remit/kernel";
import { checkOf, keyFor, type PublicJwk, parseJws, type Unproven, type Unsigned } from "../jose/index.ts";
import { Members } from "../members.ts";
import { type OfferTransfer, readTransfer } from "../offer/index.ts";
import { Problem } from "../problems.ts";

/** The JWS type of the authorization server's word to billing. */
export const instructionTyp = "remit-instruction+jwt";

/** How long an instruction counts, in seconds. */
export const instructionLifetimeS = 120;

const skewS = 5;

export type InstructionOp = "hold" | "capture" | "release" | "refund";

/** What is to happen to one charge's money. `amount_minor` is in whole minor units of `currency`. */
export type InstructionOrder = {
  readonly op: InstructionOp;
  readonly charge: Id<"charge">;
  readonly generation: number;
  readonly payer: Id<"tenant">;
  readonly payee: Id<"tenant">;
  readonly merchant: Id<"merchant">;
  /** The payer's payment method; null for their default. */
  readonly instrument: Id<"instrument"> | null;
  readonly amount_minor: number;
  readonly currency: string;
  readonly livemode: boolean;
  /** The refund's own id, so that two refunds of one charge are two. */
  readonly refund?: Id<"refund">;
  /** Of a refund over the x402 rail: the transaction in which the seller gave it back. */
  readonly transaction?: string;
  /** Of a charge over the x402 rail: what is signed for it, and to whom it goes, as the merchant's offer says. */
  readonly transfer?: OfferTransfer;
};

export type Instruction = InstructionOrder & {
  readonly iss: string;
  readonly aud: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
};

/** An instruction to sign, valid for 120 s. */
export const makeInstruction = (input: {
  readonly order: InstructionOrder;
  readonly issuer: string;
  readonly audience: string;
  readonly jti: string;
  readonly now: Instant;
}): Unsigned<string> => {
  const iat = toNumericDate(input.now);
  const claims: Instruction = {
    iss: input.issuer,
    aud: input.audience,
    iat,
    exp: iat + instructionLifetimeS,
    jti: input.jti,
    ...input.order,
  };
  return { header: { typ: instructionTyp }, payload: claims, finish: (jws) => jws };
};

/** Reads an instruction strictly; whatever is wrong is `instruction_invalid`. The signature is left to be checked. */
export function examineInstruction(
  jws: string,
  expected: {
    readonly issuer: string;
    readonly audience: string;
    readonly keys: readonly PublicJwk[];
    readonly now: Instant;
    readonly livemode?: boolean;
  },
): Unproven<Instruction> {
  const parsed = parseJws(jws, {
    typ: [instructionTyp],
    algs: ["ES256", "EdDSA"],
    refuse: "instruction_invalid",
  });
  const key = keyFor(expected.keys, parsed.header);
  if (key === undefined) throw new Problem("instruction_invalid", { detail: "the key is unknown" });
  const claims = Members.of(parsed.payload, "instruction_invalid", "instruction");
  const value = claimsOf(claims);
  if (value.iss !== expected.issuer) claims.refuse("iss", "is another issuer");
  if (value.aud !== expected.audience) claims.refuse("aud", "is another audience");
  if (expected.livemode !== undefined && value.livemode !== expected.livemode)
    throw new Problem("livemode_mismatch");
  checkTimes(claims, value, expected.now);
  return { checks: [checkOf(parsed, key, "instruction_invalid")], value };
}

function checkTimes(claims: Members, { iat, exp }: Instruction, now: Instant): void {
  if (exp <= iat || exp - iat > instructionLifetimeS) claims.refuse("exp", "is too far from iat");
  if (iat - skewS > toNumericDate(now)) claims.refuse("iat", "lies in the future");
  if (now >= fromNumericDate(exp)) claims.refuse("exp", "has passed");
}

function claimsOf(claims: Members): Instruction {
  const refund = claims.maybe("refund", () => claims.id("refund", "refund"));
  const transfer = claims.maybe("transfer", () => readTransfer(claims.members("transfer")));
  const transaction = claims.maybe("transaction", () =>
    claims.text("transaction", { pattern: /^0x[0-9a-f]{64}$/ }),
  );
  const op = claims.oneOf("op", ["hold", "capture", "release", "refund"]);
  if ((op === "refund") !== (refund !== undefined)) claims.refuse("refund", "stands in refunds alone");
  if (op !== "refund" && transaction !== undefined) claims.refuse("transaction", "stands in refunds alone");
  return {
    iss: claims.text("iss"),
    aud: claims.text("aud"),
    iat: claims.integer("iat", 0, 253_402_300_799),
    exp: claims.integer("exp", 0, 253_402_300_799),
    jti: claims.text("jti", { max: 255 }),
    op,
    charge: claims.id("charge", "charge"),
    generation: claims.integer("generation", 1, 1_000_000),
    payer: claims.id("payer", "tenant"),
    payee: claims.id("payee", "tenant"),
    merchant: claims.id("merchant", "merchant"),
    instrument: claims.get("instrument") === null ? null : claims.id("instrument", "instrument"),
    amount_minor: claims.integer("amount_minor", 1),
    currency: claims.text("currency", { pattern: /^[A-Z]{3}$/ }),
    livemode: claims.flag("livemode"),
    ...(refund !== undefined && { refund }),
    ...(transaction !== undefined && { transaction }),
    ...(transfer !== undefined && { transfer }),
  };
}
