import { randomBytes } from "node:crypto";
import type { Id } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent, purchaseDetailsType } from "@remit/protocol";
import type { Approval, Approvals } from "../approvals/index.ts";
import { digestOf, openGrant } from "../grants/index.ts";
import { type Provider, payloadOf } from "./seam.ts";
import { endRequest, requestOf, type SettlingDeps, scopeOf, settle } from "./settling.ts";

export type OutcomeDeps = SettlingDeps & {
  readonly db: Database;
  readonly approvals: Pick<Approvals, "lockAnswered">;
  readonly provider: () => Provider;
};

/**
 * Tells a request the answer about its purchase, once: the approval is locked, and what it says is final. It decides
 * nothing, so that page, API and backchannel can have but one outcome.
 */
export const tellOutcome = (
  deps: OutcomeDeps,
  { tenant, id }: { tenant: Id<"tenant">; id: Id<"approval"> },
): Promise<void> =>
  deps.db.of(tenant).transaction(async (tx) => {
    const approval = await deps.approvals.lockAnswered(tx, id);
    if (approval === undefined || approval.question.request === "") return;
    const found = await requestOf(deps, tx, approval);
    // It was told, or nobody waits any more.
    if (found === undefined || found.payload["grantId"] !== undefined || found.payload["error"] !== undefined)
      return;
    if (approval.state === "expired") return endRequest(deps, tx, approval);
    if (approval.state === "approved") return tellYes(deps, tx, approval);
    const result = { error: "access_denied", errorDescription: "The principal did not consent." };
    await settle(deps, tx, { approval, result });
  });

/** A grant of nothing but who said yes, and to which purchase: it has no mandate, and no refresh token comes of it. */
async function tellYes(deps: OutcomeDeps, tx: TenantTx, approval: Approval): Promise<void> {
  const { subject, agent, principal } = approval;
  if (subject.kind === "mandate") return;
  const now = deps.clock.now();
  const id = randomBytes(32).toString("base64url");
  const given = { digest: digestOf(id), client: agent, account: principal, mandate: undefined };
  await openGrant(tx, { ...given, session: undefined, scopes: ["openid"] }, now);
  const payload = { client: agent, mandate: null, scopes: ["openid"], mode: "ciba", approval: approval.id };
  const actor = { type: "account", id: principal } as const;
  await tx.record(newEvent("consent.granted", { tenant: tx.tenant, actor, subject: agent, payload }, now));
  const provider = deps.provider();
  const entity = new provider.Grant({ accountId: principal, clientId: agent });
  entity.jti = id;
  entity.addOIDCScope("openid");
  entity.addRar({ type: purchaseDetailsType, charge_id: subject.charge, approval_id: approval.id });
  const granted = await payloadOf(entity);
  await deps.artifacts.saveWithin(tx, { model: "Grant", id, grant: id, ...granted }, scopeOf(approval));
  await settle(deps, tx, { approval, result: { grantId: id, rar: granted.payload["rar"] }, grant: id });
}
