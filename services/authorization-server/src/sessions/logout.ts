import { randomBytes } from "node:crypto";
import { type Clock, type Id, toNumericDate } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import type { Log } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import type { Client } from "../clients/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import type { LogoutDue } from "./ending.ts";
import { sidFor } from "./sessions.ts";

/** What a client registered of back-channel logout (OIDC Back-Channel Logout 1.0 §2.2). */
export type LogoutTarget = {
  readonly uri: string;
  /** The client's name for the person, as in its ID tokens; undefined when only the core can tell it (pairwise). */
  readonly subject: string | undefined;
  /** The purpose of the issuer's key that signs this client's ID tokens. */
  readonly purpose: string;
};

/** Undefined when the client wants to hear nothing, or is gone. */
export function logoutTarget(client: Client | undefined, account: Id<"account">): LogoutTarget | undefined {
  const uri = client?.metadata.backchannel_logout_uri;
  if (client?.live !== true || uri === undefined) return undefined;
  const { subject_type, id_token_signed_response_alg } = client.metadata;
  // §2.4 and §2.6: signed as its ID tokens are.
  const purpose = id_token_signed_response_alg === "EdDSA" ? "id-eddsa" : "id";
  return { uri, subject: subject_type === "pairwise" ? undefined : account, purpose };
}

export type LogoutPorts = {
  readonly issuer: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly outbound: Outbound;
  readonly keys: Pick<IssuerKeys, "sign">;
  readonly clientOf: (id: string) => Promise<Client | undefined>;
};

const lifeS = 120;
const timeoutMs = 5_000;
const answerBytesMax = 65_536;
const event = "http://schemas.openid.net/event/backchannel-logout";

/** `again`: it may still hear of it. `refused`: it answered that it will not. */
export type Delivery = "nobody" | "delivered" | "refused" | "again";

/**
 * One attempt to tell one client. The token is made anew for each, since it lives for two minutes (§2.4): never a nonce,
 * so that it cannot pass for an ID token, whose typ is another too (A02).
 */
export async function deliverLogout(ports: LogoutPorts, due: LogoutDue): Promise<Delivery> {
  const target = logoutTarget(await ports.clientOf(due.client), due.account);
  if (target === undefined) return "nobody";
  const token = await logoutToken(ports, due, target);
  try {
    const { status } = await ports.outbound.request({
      method: "POST",
      url: target.uri,
      headers: { "content-type": "application/x-www-form-urlencoded", "cache-control": "no-store" },
      body: new URLSearchParams({ logout_token: token }).toString(),
      timeoutMs,
      bodyBytesMax: answerBytesMax,
    });
    return deliveryOf(status);
  } catch (error) {
    // An address that may not be called now may be called later: its name may lead elsewhere by then.
    if (error instanceof Problem) return "again";
    throw error;
  }
}

/** §2.8: 200, or 204 of a client that has nothing to say; 400 when it could not or would not. A redirect is no answer. */
export function deliveryOf(status: number): Delivery {
  if (status === 200 || status === 204) return "delivered";
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status) ? "refused" : "again";
}

function logoutToken(
  { issuer, clock, keys }: LogoutPorts,
  { sid, client }: LogoutDue,
  { subject, purpose }: LogoutTarget,
): Promise<string> {
  const iat = toNumericDate(clock.now());
  const claims = {
    iss: issuer,
    aud: client,
    iat,
    exp: iat + lifeS,
    jti: randomBytes(16).toString("base64url"),
    events: { [event]: {} },
    sid: sidFor(sid, client),
    ...(subject === undefined ? {} : { sub: subject }),
  };
  return keys.sign(purpose, { typ: "logout+jwt" }, claims);
}
