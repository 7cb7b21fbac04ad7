import { fromNumericDate, secondMs, toNumericDate } from "@remit/kernel";
import { type JsonObject, Problem } from "@remit/protocol";
import { AgentRefused } from "../identity/index.ts";
import { keepMandate, type MandateDeps } from "./request.ts";
import type { HeldMandate } from "./store.ts";

type Wish = {
  readonly details: JsonObject;
  /** The merchant's origin at which the first token counts. */
  readonly resource: string;
};

/** Asks by a code on another screen (RFC 8628). */
export type DeviceWish = Wish & { readonly mode: "device" };

/** Asks a principal by name, who answers in the wallet (OpenID CIBA Core 1.0, poll). */
export type PersonWish = Wish & {
  readonly mode: "ciba";
  /** The principal's e-mail address or account id. */
  readonly loginHint: string;
  /** A few plain words that the principal sees with the question, to be compared with what the agent shows. */
  readonly bindingMessage?: string;
  /** How long the question may wait; ten minutes at most. */
  readonly expiresInS?: number;
};

/** What to store in order to go on waiting after a restart. It is worth nothing without the agent's keys. */
export type MandateHandle = {
  readonly mode: "device" | "ciba";
  readonly code: string;
  readonly resource: string;
  readonly intervalS: number;
  /** Seconds since 1970. */
  readonly expiresAtS: number;
};

/** A question that the principal has yet to answer, somewhere else. */
export type AskedMandate = {
  readonly handle: MandateHandle;
  /**
   * Polls as often as the server allows until there is an answer. Throws `access_denied` when the principal declined,
   * `expired_token` when nobody answered, and the signal's reason when it was called off; the question itself stays.
   */
  wait(signal?: AbortSignal): Promise<HeldMandate>;
};

export type DeviceMandate = AskedMandate & {
  /** To be shown to the principal, exactly so. */
  readonly userCode: string;
  /** Where the principal types it. */
  readonly verificationUri: string;
  /** The same with the code in it, for a QR code. */
  readonly verificationUriComplete: string;
};

export type AskDeps = MandateDeps & { readonly pause: (ms: number) => Promise<void> };

const grantOf = {
  device: { type: "urn:ietf:params:oauth:grant-type:device_code", parameter: "device_code" },
  ciba: { type: "urn:openid:params:grant-type:ciba", parameter: "auth_req_id" },
} as const;

const usualIntervalS = 5;
const waitSMax = 60;

export async function askAtDevice(deps: AskDeps, wish: DeviceWish): Promise<DeviceMandate> {
  const answer = await deps.session.post("ask at device", "deviceAuthorization", {
    scope: "oid4ac:payment",
    resource: wish.resource,
    authorization_details: JSON.stringify([wish.details]),
  });
  const verificationUri = textOf(answer, "verification_uri");
  const userCode = textOf(answer, "user_code");
  const complete = answer["verification_uri_complete"];
  return {
    ...resumeMandate(deps, handleOf(deps, { mode: "device", answer, wish })),
    userCode,
    verificationUri,
    verificationUriComplete: typeof complete === "string" ? complete : verificationUri,
  };
}

export async function askPerson(deps: AskDeps, wish: PersonWish): Promise<AskedMandate> {
  const { bindingMessage, expiresInS } = wish;
  const answer = await deps.session.post("ask person", "backchannelAuthentication", {
    scope: "openid oid4ac:payment",
    resource: wish.resource,
    authorization_details: JSON.stringify([wish.details]),
    login_hint: wish.loginHint,
    ...(bindingMessage === undefined ? {} : { binding_message: bindingMessage }),
    ...(expiresInS === undefined ? {} : { requested_expiry: String(expiresInS) }),
  });
  return resumeMandate(deps, handleOf(deps, { mode: "ciba", answer, wish }));
}

/** Waits for what was asked, from the handle alone. */
export function resumeMandate(deps: AskDeps, handle: MandateHandle): AskedMandate {
  if (grantOf[handle.mode] === undefined || handle.code === "" || !(handle.intervalS > 0))
    throw new Problem("invalid_request", { detail: "The handle is not one of this SDK." });
  let polling = false;
  return {
    handle,
    async wait(signal) {
      // Two that poll side by side would be told to slow down for each other's sake.
      if (polling) throw new Problem("invalid_request", { detail: "Somebody waits for this already." });
      polling = true;
      try {
        return await poll(deps, handle, signal);
      } finally {
        polling = false;
      }
    },
  };
}

/** RFC 8628 §3.5 and OpenID CIBA §11: every answer but `authorization_pending` and `slow_down` ends it. */
async function poll(deps: AskDeps, handle: MandateHandle, signal?: AbortSignal): Promise<HeldMandate> {
  const { type, parameter } = grantOf[handle.mode];
  const form = { grant_type: type, [parameter]: handle.code, resource: handle.resource };
  let intervalS = handle.intervalS;
  let failures = 0;
  for (;;) {
    // "On encountering a connection timeout, clients MUST unilaterally reduce their polling frequency."
    await pauseFor(deps, Math.min(intervalS * 2 ** failures, Math.max(intervalS, waitSMax)), signal);
    let answer: JsonObject;
    try {
      answer = await deps.session.post("poll", { to: "token", signal }, form);
    } catch (error) {
      signal?.throwIfAborted();
      const next = afterPoll(error);
      if (next === "give up" || isOver(deps, handle)) throw error;
      if (next === "slow down") intervalS += 5;
      failures = next === "try again" ? failures + 1 : 0;
      continue;
    }
    // The code is spent: what goes wrong from here on is not mended by another poll.
    return keepMandate(deps, handle.resource, answer);
  }
}

type Next = "wait" | "slow down" | "try again" | "give up";

/** What the last poll means for the next. What is no answer of the server's is trouble on the way to it. */
function afterPoll(error: unknown): Next {
  if (error instanceof Problem) return "give up";
  if (!(error instanceof AgentRefused)) return "try again";
  if (error.code === "authorization_pending") return "wait";
  if (error.code === "slow_down") return "slow down";
  return error.status >= 500 || error.status === 429 ? "try again" : "give up";
}

/** The server says so as well, unless it cannot be reached any more. */
const isOver = ({ clock }: AskDeps, { expiresAtS }: MandateHandle): boolean =>
  clock.now() > fromNumericDate(expiresAtS + waitSMax);

async function pauseFor({ pause }: AskDeps, seconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  if (signal === undefined) return pause(seconds * secondMs);
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    await Promise.race([pause(seconds * secondMs), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function handleOf(
  { clock }: AskDeps,
  { mode, answer, wish }: { mode: MandateHandle["mode"]; answer: JsonObject; wish: Wish },
): MandateHandle {
  const { interval, expires_in: expiresIn } = answer;
  if (typeof expiresIn !== "number")
    throw new Problem("invalid_request", { detail: "The server did not say how long it waits." });
  return {
    mode,
    code: textOf(answer, grantOf[mode].parameter),
    resource: wish.resource,
    intervalS: typeof interval === "number" && interval > 0 ? interval : usualIntervalS,
    expiresAtS: toNumericDate(clock.now()) + Math.floor(expiresIn),
  };
}

function textOf(answer: JsonObject, name: string): string {
  const text = answer[name];
  if (typeof text !== "string" || text === "")
    throw new Problem("invalid_request", { detail: `The server answered without ${name}.` });
  return text;
}
