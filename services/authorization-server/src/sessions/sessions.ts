import { after, hourMs, type Id, type Instant, minuteMs } from "@remit/kernel";
import { sha256b64url } from "@remit/protocol/node";

/** Why a session ended. `superseded`: its person has too many; `security`: we found something wrong. */
export const endings = [
  "signed_out",
  "revoked_by_person",
  "revoked_by_operator",
  "password_changed",
  "recovery",
  "security",
  "expired",
  "superseded",
  "account_erased",
] as const;
export type Ending = (typeof endings)[number];

/** Where a session is used from. Personal: sealed at rest, never in an event. */
export type Whereabouts = { readonly ip: string; readonly userAgent: string };

/** A person in one browser, from sign-in to its end. */
export type Session = {
  readonly id: Id<"session">;
  /** What tokens carry: SHA-256 of the core's session uid. */
  readonly sid: string;
  readonly account: Id<"account">;
  readonly tenant: Id<"tenant">;
  readonly acr: string | undefined;
  readonly amr: readonly string[];
  readonly createdAt: Instant;
  /** The last time its person proved who they are in it. */
  readonly authenticatedAt: Instant;
  readonly lastSeenAt: Instant;
  readonly absoluteExpiresAt: Instant;
  readonly endedAt: Instant | undefined;
};

export const idleMs = 30 * minuteMs;
export const absoluteMs = 12 * hourMs;
/** Sessions of one person at once; the one that was seen longest ago gives way. */
export const sessionsMax = 50;
/** Use within this time of the last is not written down. */
export const touchMs = minuteMs;

/** The name of a session in tokens and in the register. */
export const sidOf = (uid: string): string => sha256b64url(uid);

/**
 * Its name for one client, in ID tokens and logout tokens: clients that compare notes cannot tell that two of their
 * sessions are one person's.
 */
export const sidFor = (sid: string, client: string): string => sha256b64url(`${sid} ${client}`);

/** When it ends of itself. The absolute limit was set at its first sign-in and never moves. */
export const endsOf = ({
  lastSeenAt,
  absoluteExpiresAt,
}: Pick<Session, "lastSeenAt" | "absoluteExpiresAt">) =>
  after(lastSeenAt, Math.min(idleMs, absoluteExpiresAt - lastSeenAt));

export const isLive = (
  session: Pick<Session, "endedAt" | "lastSeenAt" | "absoluteExpiresAt">,
  now: Instant,
): boolean => session.endedAt === undefined && now < endsOf(session);

const browsers = [
  ["Edge", /\bEdgA?\//],
  ["Opera", /\bOPR\//],
  ["Samsung Internet", /\bSamsungBrowser\//],
  ["Firefox", /\b(?:Firefox|FxiOS)\//],
  ["Chrome", /\b(?:Chrome|CriOS|HeadlessChrome)\//],
  ["Safari", /\bSafari\//],
] as const;
const systems = [
  ["Android", /\bAndroid\b/],
  ["iPhone", /\biPhone\b/],
  ["iPad", /\biPad\b/],
  ["Windows", /\bWindows\b/],
  ["macOS", /\bMac OS X\b/],
  ["ChromeOS", /\bCrOS\b/],
  ["Linux", /\bLinux\b/],
] as const;

/** What a person calls the device: "Firefox on Linux". Browsers claim to be each other, so the order matters. */
export function deviceOf(userAgent: string): string {
  const named = (list: readonly (readonly [string, RegExp])[]): string | undefined =>
    list.find(([, pattern]) => pattern.test(userAgent))?.[0];
  const [browser, system] = [named(browsers), named(systems)];
  if (browser === undefined && system === undefined) return "Unknown device";
  return system === undefined ? `${browser}` : `${browser ?? "A program"} on ${system}`;
}
