import { Problem } from "@remit/protocol";
import type { ReleaseCharge } from "@remit/protocol/contracts";
import { askingForUsage } from "../metering/index.ts";
import { type OpenAnswer, type UpstreamAnswer, type Upstreams, upwardFields } from "../proxy/index.ts";
import type { PaidRequest } from "./request.ts";

const responseBytesMax = 8 * 1024 * 1024;

type Tells = Readonly<Record<string, string>>;

/** Calls the upstream as ours: who pays is what the rail says, whatever the buyer's headers said. */
export async function serve(
  upstreams: Upstreams,
  request: PaidRequest,
  tells: Tells,
): Promise<UpstreamAnswer | Problem> {
  const { room } = request;
  const fetched = upstreams.fetch({
    ...upwards(request, tells),
    bodyBytesMax: responseBytesMax,
    ...(room !== undefined && { mayHold: (bytes: number) => room.add(bytes) }),
  });
  const answer = await unlessRefused(fetched);
  return answer instanceof Problem ? answer : (request.judge?.(answer) ?? answer);
}

/** The same for an answer that is delivered as it comes. */
export const serveOpen = (
  upstreams: Upstreams,
  request: PaidRequest,
  tells: Tells,
): Promise<OpenAnswer | Problem> => unlessRefused(upstreams.open(upwards(request, tells)));

const unlessRefused = <T>(answering: Promise<T>): Promise<T | Problem> =>
  answering.catch((error: unknown) => {
    if (error instanceof Problem) return error;
    throw error;
  });

function upwards({ route, method, target, fields, body }: PaidRequest, tells: Tells) {
  const origin = new URL(route.merchant.origin);
  const countsTokens = route.meter?.unit === "mtok";
  return {
    origin: route.upstream,
    method,
    target,
    fields: upwardFields(countsTokens ? fields.filter(([name]) => !isCoding(name)) : fields, {
      Host: new URL(route.upstream).host,
      "X-Forwarded-Host": origin.host,
      "X-Forwarded-Proto": origin.protocol.slice(0, -1),
      // What is counted must be read.
      ...(countsTokens && { "Accept-Encoding": "identity" }),
      ...tells,
    }),
    body: countsTokens ? askingForUsage(body) : body,
    timeoutMs: route.timeoutMs,
  };
}

const isCoding = (name: string): boolean =>
  /^(?:accept-encoding|content-md5|content-digest|digest)$/i.test(name);

/** Only an answer below 400 is what was sold. */
export const isGoods = <A extends { readonly status: number }>(answer: A | Problem): answer is A =>
  !(answer instanceof Problem) && answer.status < 400;

export const reasonOf = (answer: { readonly status: number } | Problem): ReleaseCharge["reason"] =>
  answer instanceof Problem && answer.code === "upstream_timeout" ? "upstream_timeout" : "upstream_failed";
