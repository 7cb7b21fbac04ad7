import { Problem } from "@remit/protocol";
import type { ReleaseCharge } from "@remit/protocol/contracts";
import { type UpstreamAnswer, type Upstreams, upwardFields } from "../proxy/index.ts";
import type { PaidRequest } from "./request.ts";

const responseBytesMax = 8 * 1024 * 1024;

/** Calls the upstream as ours: who pays is what the rail says, whatever the buyer's headers said. */
export async function serve(
  upstreams: Upstreams,
  request: PaidRequest,
  tells: Readonly<Record<string, string>>,
): Promise<UpstreamAnswer | Problem> {
  const { route } = request;
  const origin = new URL(route.merchant.origin);
  const answering = upstreams.fetch({
    origin: route.upstream,
    method: request.method,
    target: request.target,
    fields: upwardFields(request.fields, {
      Host: new URL(route.upstream).host,
      "X-Forwarded-Host": origin.host,
      "X-Forwarded-Proto": origin.protocol.slice(0, -1),
      ...tells,
    }),
    body: request.body,
    timeoutMs: route.timeoutMs,
    bodyBytesMax: responseBytesMax,
  });
  try {
    const answer = await answering;
    return request.judge?.(answer) ?? answer;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** Only an answer below 400 is what was sold. */
export const isGoods = (answer: UpstreamAnswer | Problem): answer is UpstreamAnswer =>
  !(answer instanceof Problem) && answer.status < 400;

export const reasonOf = (answer: UpstreamAnswer | Problem): ReleaseCharge["reason"] =>
  answer instanceof Problem && answer.code === "upstream_timeout" ? "upstream_timeout" : "upstream_failed";
