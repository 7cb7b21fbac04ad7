import { after, dayMs, hourMs, type Instant, minuteMs, secondMs } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { parseJson, type SetError, securityEventMediaType } from "@remit/protocol";
import { PushRefusal } from "@remit/protocol/contracts";
import { type Answer, type Chance, evenChance, retryAfterOf, send } from "../deliveries/index.ts";

/** Before the second try, the third, and so on; the last one again and again. */
const pausesMs = [5 * secondMs, 30 * secondMs, 2 * minuteMs, 10 * minuteMs, 30 * minuteMs, hourMs] as const;
const jitterShare = 0.1;

/** A receiver that has taken nothing for so long is left alone: its stream is paused, and keeps what it would have told. */
export const failingMsMax = 3 * dayMs;

/** What became of a push: the receiver has it, will never take it (RFC 8935 §2.3), or may have it another time. */
export type Pushed =
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly err: SetError }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfter: string | undefined };

export type Parcel = {
  readonly endpoint: string;
  readonly header: string | undefined;
  readonly token: string;
  readonly timeoutMs: number;
};

/** One token, posted as RFC 8935 §2.1 has it. Never throws. */
export async function push(outbound: Pick<Outbound, "request">, parcel: Parcel): Promise<Pushed> {
  const { endpoint: url, header, token: body, timeoutMs } = parcel;
  const headers = {
    "content-type": securityEventMediaType,
    accept: "application/json",
    "user-agent": "Remit-Signals/1",
    ...(header === undefined ? {} : { authorization: header }),
  };
  return pushedBy(await send(outbound, { url, headers, body, timeoutMs }));
}

/** Any success is one: not every receiver says 202. Only a 400 that names an error is a word about the token itself. */
export function pushedBy({ status = 0, body = "", error, retryAfter }: Answer): Pushed {
  if (error === undefined && status >= 200 && status < 300) return { kind: "taken" };
  const err = error === undefined && status === 400 ? errIn(body) : undefined;
  if (err !== undefined) return { kind: "refused", err };
  return { kind: "failed", why: error ?? `status_${status}`, retryAfter };
}

function errIn(body: string): SetError | undefined {
  try {
    return PushRefusal.safeParse(parseJson(new TextEncoder().encode(body))).data?.err;
  } catch {
    return undefined;
  }
}

/** When it is tried again after so many failures in a row. */
export function nextTry(
  { failures, retryAfter }: { readonly failures: number; readonly retryAfter: string | undefined },
  now: Instant,
  chance: Chance = evenChance,
): Instant {
  const pauseMs = pausesMs[Math.min(failures, pausesMs.length) - 1] ?? pausesMs[0];
  const jittered = Math.round(pauseMs * (1 + jitterShare * chance()));
  return after(now, Math.max(jittered, retryAfterOf(retryAfter, now) ?? 0));
}
