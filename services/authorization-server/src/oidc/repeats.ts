import { after, type Clock, type Instant, secondMs } from "@remit/kernel";
import type { Artifacts } from "../grants/index.ts";
import type { Ctx, Payload } from "./seam.ts";

/**
 * A refresh whose answer was lost is not theft: for 10 s the same client with the same DPoP key gets the same answer
 * again, if the successor in it was never used. It never forks: there is one successor (RFC 9700 §4.14.2).
 */
export type Repeats = {
  /** Keeps the answer to a refresh, for the token that was used. */
  keep(ctx: Ctx): Promise<void>;
  /** Decides on a refresh token that was used before: the client has proven itself and the key is the token's. */
  decide(ctx: Ctx | undefined, token: string, use: TokenUse): Promise<RepeatDecision>;
  /** Puts the kept answer in place of the refusal, where `decide` found one. */
  answer(ctx: Ctx): void;
};

type TokenUse = { readonly consumedAt: Instant; readonly answered: boolean };

/** `unanswered`: nobody got a successor, so that nothing was stolen (we died over it); the token is used all the same. */
type RepeatDecision = "repeat" | "wait" | "unanswered" | "replay";

const graceMs = 10 * secondMs;
const model = "RefreshAnswer";

export function createRepeats({ artifacts, clock }: { artifacts: Artifacts; clock: Clock }): Repeats {
  const found = new WeakMap<Ctx, Payload | "wait">();
  return {
    async keep(ctx) {
      if (ctx.status !== 200) return;
      const used = ctx.oidc.entities.RotatedRefreshToken;
      if (used === undefined) return;
      const expiresAt = after(clock.now(), graceMs);
      const answer = {
        model,
        id: used.jti,
        payload: { ...Object(ctx.body) },
        expiresAt,
        grant: used.grantId,
        answerTo: { model: "RefreshToken", id: used.jti },
      };
      const tenant = ctx.oidc.client?.remit_tenant;
      await artifacts.save(answer, tenant === undefined ? "oauth" : `oauth:${tenant}`);
    },
    async decide(ctx, token, { consumedAt, answered }) {
      const isLate = clock.now() - consumedAt > graceMs;
      if (!answered) {
        if (isLate || ctx === undefined) return "unanswered";
        found.set(ctx, "wait");
        return "wait";
      }
      const answer = isLate || ctx === undefined ? undefined : (await artifacts.find(model, token))?.payload;
      if (ctx === undefined || answer === undefined) return "replay";
      const successor = await artifacts.find("RefreshToken", String(answer["refresh_token"]));
      if (successor === undefined || successor.consumedAt !== undefined) return "replay";
      found.set(ctx, answer);
      return "repeat";
    },
    answer(ctx) {
      const kept = found.get(ctx);
      if (kept === undefined) return;
      ctx.status = kept === "wait" ? 503 : 200;
      if (kept === "wait") ctx.set("Retry-After", "1");
      ctx.body = kept === "wait" ? { error: "temporarily_unavailable" } : kept;
    },
  };
}
