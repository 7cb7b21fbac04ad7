import { type Clock, newId } from "@remit/kernel";
import { canonicalise, type OfferTool, Problem } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import type { NewClaim } from "../claims/index.ts";
import type { GenuineCredential } from "../credentials/index.ts";
import type { Room } from "../memory.ts";
import type { PaidRoute } from "../offers/index.ts";
import type { Wanted } from "../paywall/index.ts";
import type { Fields, UpstreamAnswer } from "../proxy/index.ts";

/** A request for a paid route, read whole. */
export type PaidRequest = {
  readonly route: PaidRoute;
  readonly method: string;
  readonly url: string;
  /** Path and query: what was matched is what the upstream gets. */
  readonly target: string;
  readonly fields: Fields;
  readonly body: Uint8Array | undefined;
  readonly bodySha256?: Uint8Array;
  /** The tool that is called, as its server lists it. */
  readonly tool?: OfferTool;
  readonly idempotencyKey?: string;
  /** Where the answer is held, until it is sent. */
  readonly room?: Room;
  /** The goods are made by the merchant's own server, which brings them. */
  readonly byHand?: true;
  /** What an answer says in the protocol of its route, where its status is not all: a tool fails with a 200. */
  readonly judge?: (answer: UpstreamAnswer) => UpstreamAnswer;
};

/** What is asked for, as offers are bound to it. */
export const wantedOf = ({ route, method, url, bodySha256, tool }: PaidRequest): Wanted => ({
  route,
  method,
  url,
  ...(bodySha256 !== undefined && { bodySha256 }),
  ...(tool !== undefined && { tool }),
});

export const digestOfRequest = ({ method, url, bodySha256 }: PaidRequest): string =>
  sha256b64url(
    canonicalise({
      method,
      url,
      body_digest: bodySha256 === undefined ? null : Buffer.from(bodySha256).toString("base64url"),
    }),
  );

/** The claim that a verified credential makes for a request. */
export function claimFor(
  request: PaidRequest,
  used: { readonly verified: GenuineCredential; readonly holder: string | undefined; readonly clock: Clock },
): NewClaim {
  const { merchant, id: route, price: amount, meter, deliver } = request.route;
  const { rail, credential, presentation, agent, payer, challenge } = used.verified;
  const idempotencyKey = used.verified.identifier ?? request.idempotencyKey;
  const now = used.clock.now();
  return {
    tenant: merchant.tenant,
    id: newId("claim"),
    rail,
    credential,
    presentation,
    request: digestOfRequest(request),
    merchant: merchant.id,
    route,
    agent,
    payer,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(challenge !== undefined && { challenge }),
    ...(used.verified.account !== undefined && { account: used.verified.account }),
    ...(used.holder !== undefined && { holder: used.holder }),
    amountMinor: Number(amount.units),
    currency: amount.asset.code,
    deliver,
    ...(meter !== undefined && { meter }),
    createdAt: now,
    updatedAt: now,
  };
}

/** V11: optional here, since the credential is a key already; but what is sent must be one key. */
export function idempotencyKeyOf(values: readonly string[]): string | undefined {
  const [value, ...more] = values;
  if (value === undefined) return undefined;
  if (more.length > 0 || !/^[\x21-\x7e]{1,255}$/.test(value)) throw new Problem("idempotency_key_invalid");
  return value;
}
