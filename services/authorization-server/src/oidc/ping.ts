import type { Id } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { Approvals } from "../approvals/index.ts";
import { clientById } from "../clients/index.ts";
import type { Artifacts } from "../grants/index.ts";

export const pingQueue = "ciba.ping";

export type PingDeps = {
  readonly db: Database;
  readonly artifacts: Artifacts;
  readonly approvals: Pick<Approvals, "read">;
  readonly outbound: Outbound;
};

/**
 * OpenID CIBA §10.2: tells a client that its answer is there, by the address it registered and the token it gave. No
 * news when the request is over. A redirect is not followed; every other answer than 200 and 204 is tried again.
 */
export async function ping(
  { db, artifacts, approvals, outbound }: PingDeps,
  named: { tenant: Id<"tenant">; id: Id<"approval"> },
): Promise<void> {
  const approval = await approvals.read(named);
  if (approval === undefined) return;
  const { request } = approval.question;
  const found = await artifacts.find("BackchannelAuthenticationRequest", request);
  const token: unknown = Object(found?.payload["params"]).client_notification_token;
  const client = await clientById(db, approval.agent);
  const endpoint =
    client?.live === true ? client.metadata.backchannel_client_notification_endpoint : undefined;
  if (found === undefined || found.consumedAt !== undefined) return;
  if (typeof token !== "string" || endpoint === undefined) return;
  const { status } = await outbound.request({
    method: "POST",
    url: endpoint,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ auth_req_id: request }),
    bodyBytesMax: 4096,
  });
  if (status !== 204 && status !== 200) throw new Problem("outbound_failed", { private: { status } });
}
