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

const timeoutMs = 30_000;

/** The one way out of the SDK: redirects are never followed (they would carry credentials elsewhere), time is bounded. */
export function createWire(fetchAny: Fetch, observe?: (exchange: Exchange) => void): Wire {
  return {
    async send(step, url, init) {
      const response = await fetchAny(url, {
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
        ...init,
      });
      if (observe !== undefined) observe(await exchangeOf(step, { url, init }, response.clone()));
      return response;
    },
  };
}

async function exchangeOf(
  step: string,
  { url, init }: { readonly url: string; readonly init: RequestInit },
  response: Response,
): Promise<Exchange> {
  const { body } = init;
  const text =
    typeof body === "string" ? body : body instanceof URLSearchParams ? body.toString() : undefined;
  return {
    step,
    request: {
      method: init.method ?? "GET",
      url,
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(text === undefined ? {} : { body: text }),
    },
    response: {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
    },
  };
}
