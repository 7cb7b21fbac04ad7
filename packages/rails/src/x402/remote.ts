import { type Secret, secondMs } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { exactEvmPayload, type Hex, type JsonObject, parseJson } from "@remit/protocol";
import { z } from "zod";
import { type Chain, ChainAway } from "./chain.ts";
import type { Facilitator, Settlement } from "./facilitator.ts";
import { useIn, type WantedTransfer } from "./logs.ts";
import type { TransferPayment } from "./payment.ts";
import { reasons } from "./reasons.ts";

export type RemoteFacilitator = {
  readonly url: string;
  readonly token?: Secret<string> | undefined;
  readonly outbound: Outbound;
  /** Where its word is proven: money is not taken for paid because somebody says so. */
  readonly chain: Chain;
};

const verifyMs = 5 * secondMs;
const settleMs = 60 * secondMs;
const hostsOfThisMachine = new Set([
  "localhost",
  "127.0.0.1",
  "[::1]",
  "host.docker.internal",
  "host.k3d.internal",
]);

/** A payment travels to it before it is on the chain: in the clear it goes no further than this machine. */
export function isFacilitatorUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, username, search, hash } = new URL(url);
  const isPlain = username === "" && search === "" && hash === "";
  return isPlain && (protocol === "https:" || (protocol === "http:" && hostsOfThisMachine.has(hostname)));
}

const Verified = z.looseObject({ isValid: z.boolean(), invalidReason: z.string().max(200).nullish() });
const Settled = z.looseObject({
  success: z.boolean(),
  transaction: z.string().max(200).nullish(),
  errorReason: z.string().max(200).nullish(),
});

/** Somebody else's facilitator, by the API of x402 v2. It remembers nothing for us: the chain does. */
export const createRemoteFacilitator = (remote: RemoteFacilitator): Facilitator => ({
  vouches: false,
  verify: async (payment) => {
    // Its transactions are not ours to read: what a permit paid could not be proven.
    if (payment.transfer.permit !== undefined) return { kind: "invalid", reason: reasons.scheme };
    const said = await ask(remote, "verify", { payment, timeoutMs: verifyMs });
    const read = Verified.safeParse(said);
    if (!read.success) return { kind: "unknown", because: said === undefined ? "connection" : "unexpected" };
    if (read.data.isValid) return { kind: "valid", payer: payment.transfer.authorization.from };
    return { kind: "invalid", reason: read.data.invalidReason ?? reasons.simulation };
  },
  settle: async (payment, { key, confirmations }) => {
    const said = await ask(remote, "settle", { payment, timeoutMs: settleMs, key });
    const read = Settled.safeParse(said);
    if (!read.success) return { kind: "unknown", because: said === undefined ? "connection" : "unexpected" };
    const { success, transaction, errorReason } = read.data;
    if (success) return await proven(remote, { payment, transaction: hashOf(transaction), confirmations });
    if (errorReason === reasons.pending) return { kind: "unknown", because: "busy" };
    // That somebody has been told of it may mean us, whose answer was lost: the chain decides.
    const reason = errorReason === reasons.duplicate ? reasons.nonce : errorReason;
    return { kind: "failed", reason: reason ?? reasons.transaction };
  },
  remembered: async () => ({ kind: "absent" }),
});

type Asked = { readonly payment: TransferPayment; readonly timeoutMs: number; readonly key?: string };

/** The JSON of a 200; undefined for everything else: then nothing is known. */
async function ask(
  { url, token, outbound }: RemoteFacilitator,
  verb: "verify" | "settle",
  { payment, timeoutMs, key }: Asked,
): Promise<unknown> {
  const answer = await outbound
    .request({
      method: "POST",
      url: `${url.replace(/\/$/, "")}/${verb}`,
      headers: {
        "Content-Type": "application/json",
        ...(token !== undefined && { Authorization: `Bearer ${token.reveal()}` }),
        ...(key !== undefined && { "Idempotency-Key": key }),
      },
      body: JSON.stringify(bodyOf(payment)),
      timeoutMs,
      bodyBytesMax: 64 * 1024,
    })
    .catch(() => undefined);
  if (answer?.status !== 200) return undefined;
  try {
    return parseJson(answer.body);
  } catch {
    return null; // an answer, and no JSON
  }
}

function bodyOf({ network, domain, payTo, value, timeoutS, transfer }: TransferPayment): JsonObject {
  const requirements = {
    scheme: "exact",
    network,
    amount: value.toString(),
    asset: domain.verifyingContract,
    payTo,
    maxTimeoutSeconds: timeoutS,
    extra: { name: domain.name, version: domain.version },
  };
  const payload = exactEvmPayload(transfer);
  return {
    x402Version: 2,
    paymentPayload: { x402Version: 2, accepted: requirements, payload },
    paymentRequirements: requirements,
  };
}

const hashOf = (text: string | null | undefined): Hex | undefined =>
  typeof text === "string" && /^0x[0-9a-fA-F]{64}$/.test(text) ? (text.toLowerCase() as Hex) : undefined;

/** Its yes is ours once the chain says the same of the transaction that it names, as deep as was asked for. */
async function proven(
  { chain }: RemoteFacilitator,
  of: {
    readonly payment: TransferPayment;
    readonly transaction: Hex | undefined;
    readonly confirmations: number;
  },
): Promise<Settlement> {
  try {
    const receipt = of.transaction === undefined ? undefined : await chain.receipt(of.transaction);
    // Their node may be ahead of ours, and a yes without a transaction is none yet.
    if (of.transaction === undefined || receipt === undefined) return { kind: "unknown", because: "busy" };
    const use = receipt.succeeded ? useIn(receipt.logs, wantedOf(of.payment)) : "none";
    if (use !== "paid") return { kind: "failed", reason: reasons.transfer, transaction: of.transaction };
    const isDeep =
      of.confirmations <= 1 || (await chain.head()) - receipt.block + 1n >= BigInt(of.confirmations);
    return isDeep
      ? { kind: "settled", transaction: of.transaction }
      : { kind: "unknown", because: "busy", transaction: of.transaction };
  } catch (error) {
    if (!(error instanceof ChainAway)) throw error;
    return { kind: "unknown", because: "connection" };
  }
}

const wantedOf = ({ domain, payTo, value, transfer }: TransferPayment): WantedTransfer => ({
  asset: domain.verifyingContract,
  from: transfer.authorization.from,
  nonce: transfer.authorization.nonce,
  to: payTo,
  value,
  scheme: "exact",
});
