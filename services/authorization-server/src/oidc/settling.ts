import { after, type Clock, fromNumericDate, minuteMs, toNumericDate } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { Approval } from "../approvals/index.ts";
import type { Artifacts } from "../grants/index.ts";
import { pingQueue } from "./ping.ts";
import type { Payload } from "./seam.ts";

const model = "BackchannelAuthenticationRequest";
/** After an answer its agent has this long to fetch it, even when it came at the last moment. */
const collectMs = 2 * minuteMs;

export type SettlingDeps = { readonly clock: Clock; readonly artifacts: Artifacts };

/** The request that waits for this approval, as the core keeps it. */
export const requestOf = ({ artifacts }: SettlingDeps, tx: TenantTx, { question }: Approval) =>
  artifacts.findWithin(tx, model, question.request);

/** Whoever polls for it hears that it is over (CIBA §11 `expired_token`). */
export async function endRequest(deps: SettlingDeps, tx: TenantTx, approval: Approval): Promise<void> {
  const found = await requestOf(deps, tx, approval);
  if (found === undefined) return;
  const now = deps.clock.now();
  const payload = { ...found.payload, exp: toNumericDate(now) };
  await save(deps, tx, { approval, payload, expiresAt: after(now, collectMs) });
}

type Settling = { readonly approval: Approval; readonly result: Payload; readonly grant?: string };

/** What `backchannelResult` of the core does, in our transaction and with the ping as a job that is tried again. */
export async function settle(
  deps: SettlingDeps,
  tx: TenantTx,
  { approval, result, grant }: Settling,
): Promise<void> {
  const found = await requestOf(deps, tx, approval);
  if (found === undefined) throw new Problem("approval_expired");
  const { exp, params } = found.payload;
  const until = after(deps.clock.now(), collectMs);
  const ends = typeof exp === "number" ? Math.max(exp, toNumericDate(until)) : toNumericDate(until);
  const payload = { ...found.payload, ...result, exp: ends };
  await save(deps, tx, { approval, payload, grant, expiresAt: fromNumericDate(ends) });
  if (typeof Object(params).client_notification_token === "string")
    await enqueue(tx, {
      queue: pingQueue,
      key: approval.id,
      payload: { tenant: tx.tenant, id: approval.id },
    });
}

type Saving = {
  readonly approval: Approval;
  readonly payload: Payload;
  readonly expiresAt: ReturnType<typeof after>;
  readonly grant?: string | undefined;
};

const save = ({ artifacts }: SettlingDeps, tx: TenantTx, { approval, payload, expiresAt, grant }: Saving) =>
  artifacts.saveWithin(
    tx,
    // Known a while longer than it counts, so that who comes too late hears that, and not "unknown".
    { model, id: approval.question.request, payload, expiresAt: after(expiresAt, 10 * minuteMs), grant },
    scopeOf(approval),
  );

export const scopeOf = ({ agentTenant }: Approval): string => `oauth:${agentTenant}`;
