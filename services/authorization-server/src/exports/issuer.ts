import { fromRfc3339, type Id, type Instant, invariant, secondMs } from "@remit/kernel";
import type { Peer } from "@remit/platform/peers";
import { Problem } from "@remit/protocol";
import { RevokedToken } from "@remit/protocol/contracts";

type Deps = { readonly peer: Pick<Peer, "call">; readonly origin: string };

const timeoutMs = 20 * secondMs;

/** Has billing end a Shared Payment Token at Stripe, where it was issued with our key. */
export const revokeAtBilling =
  ({ peer, origin }: Deps) =>
  async (token: string, of: Id<"charge">): Promise<Instant | undefined> => {
    const path = `/api/v1/issued-tokens/${encodeURIComponent(token)}/revoke`;
    const body = { export: of };
    const scope = "payments:execute";
    const answer = await peer.call({ origin, method: "POST", path, scope, body, timeoutMs });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200)
      throw new Problem("unavailable", { private: { export: of, answered: answer.status } });
    const at = fromRfc3339(RevokedToken.parse(answer.body).revoked_at);
    invariant(at !== undefined, "a contract's time is a time");
    return at;
  };
