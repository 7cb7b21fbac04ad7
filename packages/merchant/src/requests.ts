import { Problem } from "@remit/protocol";

/** A request of node:http, as far as it is looked at. */
export type NodeRequest = {
  readonly method?: string | undefined;
  /** Path and query. */
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly headersDistinct?: Readonly<Record<string, readonly string[] | undefined>>;
};

export type IncomingCall = Request | NodeRequest;

type Read = {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly dpop: string | undefined;
};

/** What of a request says who calls. The host that it names is its sender's choice, so our own origin stands in its place. */
export function readCall(request: IncomingCall, origin: string): Read {
  const target = new URL(request.url ?? "/", origin);
  return {
    method: request.method ?? "GET",
    url: origin + target.pathname,
    authorization: headerOf(request, "authorization"),
    dpop: headerOf(request, "dpop"),
  };
}

// Of a header sent twice this hop and the next might each take another one. Fetch joins them, and the text is then no
// token and no proof; node drops the second unless it is asked for all.
function headerOf(request: IncomingCall, name: string): string | undefined {
  if (isWeb(request)) return request.headers.get(name) ?? undefined;
  const values = request.headersDistinct?.[name] ?? [request.headers[name] ?? []].flat();
  if (values.length > 1)
    throw new Problem("invalid_request", { detail: `The header ${name} was sent more than once.` });
  return values[0];
}

const isWeb = (request: IncomingCall): request is Request =>
  "get" in request.headers && typeof request.headers.get === "function";
