import { assetOfCaip19, minuteMs, type Secret } from "@remit/kernel";
import { type Call, type Route, route } from "@remit/platform/http";
import { evmNetworksV1, exactScheme, Problem, uptoScheme } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { type ReadPayment, reasons, schemeOf, type TransferPayment } from "@remit/rails/x402";
import type { LocalFacilitator } from "./local.ts";
import {
  FacilitatorCall,
  paymentOf,
  SettleAnswer,
  SupportedAnswer,
  settleAnswerOf,
  VerifyAnswer,
  verifyAnswerOf,
} from "./wire.ts";

export type FacilitatorRoutesDeps = {
  /** By network (CAIP-2). */
  readonly facilitators: ReadonlyMap<string, LocalFacilitator>;
  /** Address of the key that pays for gas. */
  readonly signer: string;
  /** Tokens (CAIP-19, lower case) for which gas is paid beside those that Remit knows: any other contract may burn it. */
  readonly assets: ReadonlySet<string>;
  /** Callers must bear it; anybody may call when absent. */
  readonly token?: Secret<string>;
};

const limit = { count: 1_200, windowMs: minuteMs } as const;
const bodyBytesMax = 64 * 1024;

/** The facilitator's API as x402 describes it, for this and any other server. A refusal of a payment is a 200. */
export const facilitatorRoutes = (deps: FacilitatorRoutesDeps): Route[] => [
  verifyRoute(deps),
  settleRoute(deps),
  supportedRoute(deps),
];

const verifyRoute = (deps: FacilitatorRoutesDeps): Route =>
  route({
    method: "POST",
    path: "/facilitator/verify",
    summary: "Whether a payment by x402 would go through now",
    needs: "public",
    body: FacilitatorCall,
    bodyBytesMax,
    limit,
    answers: { 200: VerifyAnswer, 401: "invalid_token", 503: "unavailable" },
    handle: async (call, { body }) => {
      admit(deps, call);
      const read = known(deps, paymentOf(body));
      if (read.kind === "invalid") return { status: 200, body: verifyAnswerOf(read, read.payer) };
      const payer = read.payment.transfer.authorization.from;
      const facilitator = deps.facilitators.get(read.payment.network);
      if (facilitator === undefined) return { status: 200, body: verifyAnswerOf(elsewhere, payer) };
      const verified = await facilitator.verify(read.payment);
      // Nothing is known of the payment: the call itself has failed, as the protocol has it.
      if (verified.kind === "unknown") throw new Problem("unavailable", { headers: { "Retry-After": "2" } });
      return { status: 200, body: verifyAnswerOf(verified, payer) };
    },
  });

const settleRoute = (deps: FacilitatorRoutesDeps): Route =>
  route({
    method: "POST",
    path: "/facilitator/settle",
    summary:
      "Brings a payment by x402 on its chain; with an Idempotency-Key, whoever asks again is told the same",
    needs: "public",
    criticality: "critical",
    body: FacilitatorCall,
    bodyBytesMax,
    limit,
    answers: { 200: SettleAnswer, 400: "idempotency_key_invalid", 401: "invalid_token" },
    handle: async (call, { body }) => {
      admit(deps, call);
      const { network } = body.paymentRequirements;
      const read = known(deps, paymentOf(body));
      if (read.kind === "invalid")
        return { status: 200, body: settleAnswerOf(refused(read.reason), { network, payer: read.payer }) };
      const { payment } = read;
      const payer = payment.transfer.authorization.from;
      const facilitator = deps.facilitators.get(payment.network);
      const isUpto = schemeOf(payment) === uptoScheme;
      const of = { network, payer, ...(isUpto && { amount: payment.value }) };
      if (facilitator === undefined)
        return { status: 200, body: settleAnswerOf(refused(elsewhere.reason), of) };
      if (isUpto && payment.value === 0n)
        return { status: 200, body: await nothingUsed(facilitator, payment, of) };
      const settled = await facilitator.settleFor(payment, { key: keyOf(call), confirmations: 1 });
      return { status: 200, body: settleAnswerOf(settled, of) };
    },
  });

/** Nothing to send: a good permit expires as it is (scheme_upto_evm.md, "Zero Settlement"). */
async function nothingUsed(
  facilitator: LocalFacilitator,
  payment: TransferPayment,
  of: { readonly network: string; readonly payer: string },
): Promise<ReturnType<typeof settleAnswerOf>> {
  const verified = await facilitator.verify({ ...payment, value: payment.transfer.authorization.value });
  if (verified.kind === "unknown") return settleAnswerOf(verified, of);
  if (verified.kind === "invalid") return settleAnswerOf(refused(verified.reason), of);
  return { success: true, transaction: "", ...of, amount: "0" };
}

const elsewhere = { kind: "invalid", reason: "invalid_network" } as const;
const refused = (reason: string) => ({ kind: "failed", reason }) as const;

/** Apart from the keys of this gateway's own purchases: nobody outside can say one of those. */
function keyOf(call: Call): string | undefined {
  const key = call.header("idempotency-key");
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new Problem("idempotency_key_invalid");
  return `caller ${key}`;
}

const supportedRoute = (deps: FacilitatorRoutesDeps): Route =>
  route({
    method: "GET",
    path: "/facilitator/supported",
    summary: "What this facilitator settles, and the address that pays for gas",
    needs: "public",
    limit,
    answers: { 200: SupportedAnswer, 401: "invalid_token" },
    handle: (call) => {
      admit(deps, call);
      const networks = [...deps.facilitators.keys()];
      const kinds = networks.flatMap((network) => [
        { x402Version: 2, scheme: exactScheme, network },
        { x402Version: 2, scheme: uptoScheme, network, extra: { facilitatorAddress: deps.signer } },
        ...Object.entries(evmNetworksV1)
          .filter(([, caip2]) => caip2 === network)
          .map(([name]) => ({ x402Version: 1, scheme: exactScheme, network: name })),
      ]);
      return { status: 200, body: { kinds, extensions: [], signers: { "eip155:*": [deps.signer] } } };
    },
  });

function known({ assets, facilitators }: FacilitatorRoutesDeps, read: ReadPayment): ReadPayment {
  if (read.kind === "invalid") return read;
  const { network, domain, transfer } = read.payment;
  const asset = `${network}/erc20:${domain.verifyingContract}`;
  if (!facilitators.has(network)) return read; // refused as elsewhere
  if (assets.has(asset) || assetOfCaip19(asset) !== undefined) return read;
  return { kind: "invalid", reason: reasons.asset, payer: transfer.authorization.from };
}

/** Where a token is set, gas is paid for those alone who bear it. */
function admit({ token }: FacilitatorRoutesDeps, call: Call): void {
  if (token === undefined) return;
  const given = /^Bearer (.+)$/i.exec(call.header("authorization") ?? "")?.[1];
  if (given === undefined || sha256b64url(given) !== sha256b64url(token.reveal()))
    throw new Problem("invalid_token", { headers: { "WWW-Authenticate": "Bearer" } });
}
