import { after, type Clock, dayMs, type Id, type Instant, parseId, secondMs } from "@remit/kernel";
import type { Peer } from "@remit/platform/peers";
import type { Log } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import type { CloseExport, TellExportUse } from "@remit/protocol/contracts";
import type { IssuedToken } from "../stripe/index.ts";

export type ExportDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly peer: Pick<Peer, "call">;
  readonly issuer: string;
  /** What Stripe says of a token that was issued with our key; undefined when it knows none. */
  readonly tokenOf: (id: string) => Promise<IssuedToken | undefined>;
};

/** What is told of an export by how its token stands, and when to look again. */
export type Word =
  | { readonly verb: "uses"; readonly body: TellExportUse; readonly lookAt: Instant | undefined }
  | { readonly verb: "close"; readonly body: CloseExport };

/** What was authorised on a card before its token was over can be captured for so long. */
export const lateCapturesMs = 7 * dayMs;

/**
 * A token of which all was taken is over at once. One that ended otherwise is over when nothing that was authorised before
 * can be captured any more; until then what was captured is told of, and the rest stays held.
 */
export function wordOf({ id: token, capturedMinor, expiresAt, over }: IssuedToken, now: Instant): Word {
  // Past its end nothing is authorised with it, whether it is marked so by now or not.
  const ended = over ?? (expiresAt !== undefined && now >= expiresAt ? expiredAt(expiresAt) : undefined);
  const because = ended === undefined || ended.because === "resolved" ? "used" : ended.because;
  const closed = {
    verb: "close",
    body: { because: because === "consumed" ? "used" : because, used_minor: capturedMinor, token },
  } as const;
  if (ended?.because === "consumed") return closed;
  const endsAt = ended && after(ended.at, lateCapturesMs);
  if (endsAt !== undefined && now >= endsAt) return closed;
  const body = { token, used_minor: capturedMinor };
  return { verb: "uses", body, lookAt: endsAt ?? (expiresAt && after(expiresAt, secondMs)) };
}

const expiredAt = (at: Instant): IssuedToken["over"] => ({ at, because: "expired" });

const timeoutMs = 10 * secondMs;

/**
 * Reads a token of which there is news, and tells the authorization server of the export that it was issued for. Answers
 * when to look again; undefined when it is over, or is of no export of ours. A hint is never more than that: amounts come
 * from Stripe's own word.
 */
export async function followToken(deps: ExportDeps, id: string): Promise<Instant | undefined> {
  const token = await deps.tokenOf(id);
  const made = parseId("charge", token?.metadata["remit_export"]);
  if (token === undefined || made === undefined) return undefined;
  const word = wordOf(token, deps.clock.now());
  return (await isTold(deps, made, word)) && word.verb === "uses" ? word.lookAt : undefined;
}

/** False when it is refused for good: a person has to look, and nothing is freed. */
async function isTold(
  { peer, issuer, log }: ExportDeps,
  made: Id<"charge">,
  { verb, body }: Word,
): Promise<boolean> {
  const answer = await peer.call({
    origin: issuer,
    method: "POST",
    path: `/api/v1/exports/${made}/${verb}`,
    scope: "events:write",
    body,
    timeoutMs,
  });
  if (answer.status === 200) return true;
  const isFinal = [400, 404, 409, 422].includes(answer.status);
  if (!isFinal)
    throw new Problem("unavailable", {
      private: { export: made, verb, answered: answer.status, body: answer.body },
    });
  log.error({ export: made, verb, answered: answer.status, body: answer.body }, "an export needs a person");
  return false;
}
