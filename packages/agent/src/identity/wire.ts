import { concatBytes, Problem } from "@remit/protocol";

/** One HTTP message and its answer, as they went over the wire; bodies as text. */
export type Exchange = {
  readonly step: string;
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
};

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type Wire = { send(step: string, url: string, init: RequestInit): Promise<Response> };

// A seller may take a minute to serve what was paid for.
const timeoutMs = 120_000;

/** The one way out of the SDK: redirects are never followed (they would carry credentials elsewhere), time is bounded. */
export function createWire(fetchAny: Fetch, observe?: (exchange: Exchange) => void): Wire {
  return {
    async send(step, url, init) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
      const response = await fetchAny(url, { ...init, redirect: "manual", signal });
      if (observe !== undefined) observe(await exchangeOf(step, { url, init }, response.clone()));
      return response;
    },
  };
}

/** The body, up to so many bytes; more is refused before it is held in memory. */
export async function bytesOf(response: Response, bytesMax = 2 * 1024 * 1024): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    length += part.value.length;
    if (length > bytesMax) {
      await reader?.cancel();
      throw new Problem("payload_too_large", { detail: "The answer is too large." });
    }
    parts.push(part.value);
  }
  return concatBytes(...parts);
}

async function exchangeOf(
  step: string,
  { url, init }: { readonly url: string; readonly init: RequestInit },
  response: Response,
): Promise<Exchange> {
  const body = textOf(init.body);
  return {
    step,
    request: {
      method: init.method ?? "GET",
      url,
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(body === undefined ? {} : { body }),
    },
    response: {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
    },
  };
}

function textOf(body: RequestInit["body"]): string | undefined {
  if (typeof body === "string") return body;
  if (body instanceof URLSearchParams) return body.toString();
  return body instanceof Uint8Array ? new TextDecoder().decode(body) : undefined;
}
