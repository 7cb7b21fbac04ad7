import type { Artifacts } from "../grants/index.ts";
import type { Ctx } from "./seam.ts";

const modelOf: Readonly<Record<string, readonly [model: string, parameter: string]>> = {
  "urn:ietf:params:oauth:grant-type:device_code": ["DeviceCode", "device_code"],
  "urn:openid:params:grant-type:ciba": ["BackchannelAuthenticationRequest", "auth_req_id"],
};

const firstIntervalS = 5;

/** RFC 8628 §3.2 and OpenID CIBA §7.3: how long to wait between two polls, which the core leaves to the client's guess. */
export function tellInterval(ctx: Ctx): void {
  if (ctx.status === 200) ctx.body = { ...Object(ctx.body), interval: firstIntervalS };
}

/**
 * Who polls too early is told so instead of `authorization_pending`, and has to wait longer from then on. The client has
 * authenticated and the code is its own, so that nobody slows down another.
 */
export async function slowDown(artifacts: Pick<Artifacts, "poll">, ctx: Ctx): Promise<void> {
  if (Object(ctx.body).error !== "authorization_pending") return;
  const { params } = ctx.oidc;
  const [model, parameter] = modelOf[params["grant_type"] ?? ""] ?? [];
  const id = parameter === undefined ? undefined : params[parameter];
  if (model === undefined || id === undefined) return;
  const poll = await artifacts.poll(model, id);
  if (poll?.early === true)
    ctx.body = { error: "slow_down", error_description: `Wait ${poll.intervalS} s between two polls.` };
}
