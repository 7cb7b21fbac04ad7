import { after, type Clock, toNumericDate } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { type Artifacts, graceMs, type Used } from "../grants/index.ts";
import type { Ctx, Payload } from "./seam.ts";

/**
 * A refresh whose answer was lost is not theft: for 10 s the same client with the same DPoP key gets the same answer
 * again, if the successor in it was never used. It never forks: there is one successor (RFC 9700 §4.14.2). Where a
 * process died before it kept an answer, nobody has a successor; after those 10 s the next refresh takes its place, and
 * should it live after all, it finds that it may answer no more.
 */
export type Repeats = {
  /** Writes down which use of a refresh token this request is to answer. */
  used(ctx: Ctx | undefined, use: Used): void;
  /** Keeps the answer to a refresh, for the token that was used. */
  keep(ctx: Ctx): Promise<void>;
  /** Decides on a refresh token that was used before: the client has proven itself and the key is the token's. */
  decide(ctx: Ctx | undefined, token: string, use: TokenUse): Promise<RepeatDecision>;
  /** Puts the kept answer in place of the refusal, where `decide` found one. */
  answer(ctx: Ctx): void;
};

type TokenUse = { readonly usedMsAgo: number; readonly answered: boolean };

/** `taken`: this request uses it now. `refused`: no theft, and of no use any more. */
type RepeatDecision = "repeat" | "wait" | "taken" | "refused" | "replay";

const model = "RefreshAnswer";
const tokens = "RefreshToken";

type Deps = { readonly artifacts: Artifacts; readonly clock: Clock };

export function createRepeats({ artifacts, clock }: Deps): Repeats {
  const found = new WeakMap<Ctx, Payload | "wait">();
  const uses = new WeakMap<Ctx, Used>();
  const wait = (ctx: Ctx): "wait" => {
    found.set(ctx, "wait");
    return "wait";
  };
  const takeOver = async (ctx: Ctx, token: string): Promise<RepeatDecision> => {
    const exp = (await artifacts.find(tokens, token))?.payload["exp"];
    if (typeof exp !== "number" || exp <= toNumericDate(clock.now())) return "refused";
    const use = await artifacts.takeOver(tokens, token, graceMs);
    if (use === undefined) return wait(ctx); // Another did, this moment.
    uses.set(ctx, use);
    return "taken";
  };
  return {
    used(ctx, use) {
      if (ctx !== undefined) uses.set(ctx, use);
    },
    async keep(ctx) {
      const use = ctx.status === 200 ? uses.get(ctx) : undefined;
      if (use === undefined) return;
      if (!(await keepAnswer({ artifacts, clock }, ctx, use))) wait(ctx);
    },
    async decide(ctx, token, { usedMsAgo, answered }) {
      const isLate = usedMsAgo > graceMs;
      if (!answered) {
        if (ctx === undefined) return "refused";
        return isLate ? takeOver(ctx, token) : wait(ctx);
      }
      const answer = isLate || ctx === undefined ? undefined : (await artifacts.find(model, token))?.payload;
      if (ctx === undefined || answer === undefined) return "replay";
      const successor = await artifacts.find(tokens, String(answer["refresh_token"]));
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

/** False when another use has taken this one's place: its successor is gone, and its answer must not be given. */
async function keepAnswer({ artifacts, clock }: Deps, ctx: Ctx, use: Used): Promise<boolean> {
  const { RotatedRefreshToken: used, RefreshToken: successor } = ctx.oidc.entities;
  if (used === undefined || successor === undefined) return true;
  await failpoint("refresh.unanswered");
  const expiresAt = after(clock.now(), graceMs);
  const answer = { model, id: used.jti, payload: { ...Object(ctx.body) }, expiresAt, grant: used.grantId };
  const tenant = ctx.oidc.client?.remit_tenant;
  const kept = await artifacts.answer(use, answer, tenant === undefined ? "oauth" : `oauth:${tenant}`);
  if (!kept) await artifacts.destroy(tokens, successor.jti);
  return kept;
}
