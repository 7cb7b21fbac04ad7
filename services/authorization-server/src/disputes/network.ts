import { fromRfc3339, type Id, type Instant, invariant, secondMs } from "@remit/kernel";
import type { Peer, PeerAnswer } from "@remit/platform/peers";
import { isProblemCode, Problem } from "@remit/protocol";
import { NetworkDispute } from "@remit/protocol/contracts";
import { type Charge, cross } from "../charges/index.ts";
import { type DisputesDeps, moveBoth, record, sidesOf } from "./disputes.operations.ts";
import * as rows from "./disputes.sql.ts";
import type { Dispute } from "./disputes.ts";
import { giveWay } from "./giving-way.ts";

/** The card network's disputes, which billing reads from there and answers there. */
export type DisputeNetwork = {
  /** As billing has it now. */
  read(id: Id<"dispute">): Promise<NetworkDispute>;
  answer(id: Id<"dispute">, text: string): Promise<NetworkDispute>;
  accept(id: Id<"dispute">): Promise<NetworkDispute>;
  /**
   * Takes over what billing says, on both sides. Told again, it changes nothing. Undefined when it is about a tab: that has no
   * charge of its own, and stands in the merchant's books alone.
   */
  take(reported: NetworkDispute): Promise<Dispute | undefined>;
};

export type NetworkDeps = {
  readonly peer: Peer;
  readonly origin: string;
  /** What `take` writes with; it is made later than this. */
  readonly disputes: () => Pick<DisputesDeps, "db" | "clock" | "keyring" | "charges">;
};

const timeoutMs = 20 * secondMs;
const scope = "payments:execute";

export function createDisputeNetwork({ peer, origin, disputes }: NetworkDeps): DisputeNetwork {
  const post = async (path: string, body: object): Promise<NetworkDispute> =>
    reportIn(await peer.call({ origin, method: "POST", path, scope, body, timeoutMs }));
  return {
    read: async (id) => {
      const path = `/api/v1/network-disputes/${id}`;
      return reportIn(await peer.call({ origin, method: "GET", path, scope, timeoutMs }));
    },
    answer: (id, text) => post(`/api/v1/network-disputes/${id}/evidence`, { text }),
    accept: (id) => post(`/api/v1/network-disputes/${id}/accept`, {}),
    take: (reported) => take(disputes(), reported),
  };
}

function reportIn({ status, body }: PeerAnswer): NetworkDispute {
  if (status === 200) return NetworkDispute.parse(body);
  const code = typeof body === "object" && body !== null && "code" in body ? body.code : undefined;
  const known = typeof code === "string" && isProblemCode(code) && (status === 404 || status === 409);
  throw new Problem(known ? code : "unavailable", { private: { status, code } });
}

const billing = { type: "system", id: "billing" } as const;

async function take(
  deps: ReturnType<NetworkDeps["disputes"]>,
  reported: NetworkDispute,
): Promise<Dispute | undefined> {
  const side = { side: "payer", tenant: reported.payer, agent: undefined } as const;
  const charge = await deps.charges.whole(side, reported.charge);
  if (charge === undefined) return undefined;
  const now = deps.clock.now();
  return cross(deps.db, charge, async (crossing) => {
    const dispute = disputeOf(charge, reported, now);
    await rows.lockDisputesOf(await crossing.payer(), charge.id);
    // Of two that hear of it at once the second waits here for the first, and finds what that one has written.
    if (await rows.insertDispute(await crossing.payer(), dispute, undefined)) {
      for (const other of sidesOf(dispute).slice(1))
        invariant(
          await rows.insertDispute(await other(crossing), dispute, undefined),
          "both sides of a dispute are written together",
        );
      await record(crossing, dispute, { event: "dispute.opened", actor: billing, now });
      await giveWay(deps, crossing, dispute);
      return dispute;
    }
    const found = await rows.findDispute(await crossing.payer(), dispute.id, "update");
    invariant(found !== undefined, "what stands in the way of a dispute is the same dispute");
    if (!differs(found, dispute)) return found;
    const { state, because, answeredAt, decidedAt, respondBy } = dispute;
    const move = {
      state,
      ...(because === undefined ? {} : { because }),
      ...(answeredAt === undefined ? {} : { answeredAt }),
      ...(decidedAt === undefined ? {} : { decidedAt: found.decidedAt ?? decidedAt }),
      ...(respondBy === undefined ? {} : { respondBy }),
    };
    const moved = await moveBoth(deps, crossing, { from: found, move });
    await record(crossing, moved, { actor: billing, now });
    await giveWay(deps, crossing, moved);
    return moved;
  });
}

const differs = (one: Dispute, other: Dispute): boolean =>
  one.state !== other.state || one.respondBy !== other.respondBy;

function disputeOf(charge: Charge, reported: NetworkDispute, now: Instant): Dispute {
  const timeIn = (text: string | null): Instant | undefined =>
    text === null ? undefined : fromRfc3339(text);
  const open = reported.status === "needs_response" || reported.status === "under_review";
  return {
    id: reported.id,
    charge: charge.id,
    payer: charge.payer,
    payee: charge.payee,
    merchant: charge.merchant,
    client: charge.merchantClient,
    agent: charge.agent,
    origin: "network",
    state: reported.status,
    reason: reported.reason,
    because: undefined,
    amountMinor: BigInt(reported.amount_minor),
    currency: reported.currency,
    refundMinor: undefined,
    refund: "none",
    refundAttempt: 1,
    respondBy: timeIn(reported.respond_by),
    reviewBy: undefined,
    openedAt: timeIn(reported.opened_at) ?? now,
    answeredAt: reported.status === "under_review" ? now : undefined,
    decidedAt: open ? undefined : now,
    version: 1,
  };
}
