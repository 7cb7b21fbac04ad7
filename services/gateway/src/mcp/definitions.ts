import { after, type Clock, type Instant, secondMs } from "@remit/kernel";
import { canonicalise, isJsonObject, type JsonObject, type OfferTool, Problem } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import type { UpstreamAnswer, Upstreams } from "../proxy/index.ts";
import { answerIn } from "./messages.ts";

/** A message of a client's session as it goes to the server behind the shop. */
export type UpwardCall = (message: JsonObject) => Parameters<Upstreams["fetch"]>[0];

/** How a server lists its tools now: an offer says it, so that a principal is asked again when a tool says something else (G10). */
export type Definitions = {
  of(call: UpwardCall, asked: Asked): Promise<Listed>;
};

export type Listed = {
  readonly tool: OfferTool;
  /** What the server says where the client's session has ended: for the client to hear. */
  readonly gone?: UpstreamAnswer;
};

type Asked = {
  readonly name: string;
  /** What the client says of itself in every call (MCP 2026-07-28). */
  readonly meta: JsonObject;
};

// A model has read the list some time ago; what is looked at here only has to be newer than the yes.
const lastsMs = 5 * secondMs;
const keptMax = 1_000;
const pagesMax = 20;
const listId = "remit-tools-list";

type Kept = { readonly until: Instant; readonly list: Promise<List> };
type List = { readonly digests: ReadonlyMap<string, string>; readonly gone?: UpstreamAnswer };

const none: ReadonlyMap<string, string> = new Map();

/**
 * Asked as the client asks that calls, since a server may list other tools for somebody else: what is kept answers nobody who
 * says anything else, in whatever field. A server that does not list its tools now has a tool without digest, which is never
 * what was said yes to; that is not kept, so that nobody's failure is another's.
 */
export function createDefinitions(upstreams: Pick<Upstreams, "fetch">, clock: Clock): Definitions {
  const kept = new Map<string, Kept>();
  const listed = (call: UpwardCall, meta: JsonObject): Promise<List> => {
    const now = clock.now();
    const { origin, target, fields } = call({ method: "tools/list" });
    const key = sha256b64url(JSON.stringify([origin, target, fields, meta]));
    const known = kept.get(key);
    if (known !== undefined && now < known.until) return known.list;
    const list = listOf(upstreams, call, meta);
    kept.delete(key);
    kept.set(key, { until: after(now, lastsMs), list });
    const [oldest] = kept.keys();
    if (kept.size > keptMax && oldest !== undefined) kept.delete(oldest);
    const forget = (): unknown => kept.get(key)?.list === list && kept.delete(key);
    void list.then(({ digests }) => digests === none && forget(), forget);
    return list;
  };
  return {
    async of(call, { name, meta }) {
      const { digests, ...rest } = await listed(call, meta);
      const digest = digests.get(name);
      return { ...rest, tool: { name, ...(digest !== undefined && { digest }) } };
    },
  };
}

async function listOf(
  upstreams: Pick<Upstreams, "fetch">,
  call: UpwardCall,
  meta: JsonObject,
): Promise<List> {
  const digests = new Map<string, string>();
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const answer = await answerOrNone(
      upstreams,
      call({
        jsonrpc: "2.0",
        id: listId,
        method: "tools/list",
        params: { ...(cursor !== undefined && { cursor }), _meta: meta },
      }),
    );
    // MCP, Streamable HTTP, "Session Management".
    if (answer?.status === 404) return { digests: none, gone: answer };
    const found = answer === undefined || answer.status >= 400 ? undefined : answerIn(answer, listId);
    // Half a list says nothing of what is not on it.
    if (found === undefined || !("result" in found)) return { digests: none };
    const { tools, nextCursor } = found.result;
    for (const tool of Array.isArray(tools) ? tools : [])
      if (isJsonObject(tool) && typeof tool["name"] === "string")
        digests.set(tool["name"], sha256b64url(canonicalise(tool)));
    if (typeof nextCursor !== "string") return { digests };
    cursor = nextCursor;
  }
  return { digests: none };
}

async function answerOrNone(
  upstreams: Pick<Upstreams, "fetch">,
  request: ReturnType<UpwardCall>,
): Promise<UpstreamAnswer | undefined> {
  try {
    return await upstreams.fetch(request);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
