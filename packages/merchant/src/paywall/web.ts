import { Problem } from "@remit/protocol";
import { bytesOf } from "../wire.ts";
import type { Answer } from "./answers.ts";
import type { Paywall, Sale } from "./paywall.ts";

export type WebHandler = (request: Request) => Response | Promise<Response>;

/** Sells what a web-standard handler answers (Request in, Response out: Deno, Bun, workers, Next). */
export const webPaywall =
  (paywall: Paywall, sale: Sale) =>
  (handler: WebHandler): ((request: Request) => Promise<Response>) =>
  (request) =>
    sell(paywall, { sale, request }, () => Promise.resolve(handler(request)));

/** The context of Hono, as far as it is looked at. */
type HonoContext = { readonly req: { readonly raw: Request }; res: Response | undefined };
export type HonoMiddleware = (
  context: HonoContext,
  next: () => Promise<void>,
) => Promise<Response | undefined>;

/** Sells what comes after it in Hono. Mount it where nothing else changes the answer afterwards. */
export const honoPaywall =
  (paywall: Paywall, sale: Sale): HonoMiddleware =>
  async (context, next) => {
    let isServed = false;
    const answer = await sell(paywall, { sale, request: context.req.raw }, async () => {
      isServed = true;
      await next();
      return context.res ?? new Response(null, { status: 404 });
    });
    if (!isServed) return answer;
    // Hono joins the headers of an answer that takes another one's place; this one is whole.
    context.res = undefined;
    context.res = answer;
    return undefined;
  };

const requestBytesMax = 1024 * 1024;
const responseBytesMax = 8 * 1024 * 1024;

async function sell(
  paywall: Paywall,
  { sale, request }: { readonly sale: Sale; readonly request: Request },
  serve: () => Promise<Response>,
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  // The handler reads the body itself; this is another view of the same bytes.
  const body =
    request.body === null
      ? new Uint8Array()
      : await bytesOf(new Response(request.clone().body), requestBytesMax);
  const entered = await paywall.enter({
    sale,
    method: request.method,
    url: paywall.origin + pathname + search,
    headers: [...request.headers],
    body,
  });
  if (entered.kind === "answer") return responseOf(entered.answer);
  let answer: Answer;
  try {
    answer = await answerOf(await serve());
  } catch (error) {
    await entered.finish(failed);
    throw error;
  }
  return responseOf(await entered.finish(answer));
}

/** A handler that throws has delivered nothing. */
export const failed: Answer = { status: 500, headers: [], body: new Uint8Array() };

async function answerOf(response: Response): Promise<Answer> {
  try {
    const body = await bytesOf(response, responseBytesMax);
    return { status: response.status, headers: [...response.headers], body };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return {
      status: 502,
      headers: [],
      body: new TextEncoder().encode("The answer is larger than what is sold here."),
    };
  }
}

function responseOf({ status, headers, body }: Answer): Response {
  const hasNoBody = status === 204 || status === 304;
  const response = new Response(hasNoBody ? null : body.slice(), { status });
  for (const [name, value] of headers) response.headers.append(name, value);
  return response;
}
