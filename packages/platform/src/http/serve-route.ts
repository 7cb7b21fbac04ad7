import { Readable } from "node:stream";
import { invariant } from "@remit/kernel";
import { canonicalise, Problem } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Deed } from "./authenticate.ts";
import { readBody, readJson } from "./body.ts";
import { calledBy, callOf, countAgainst, countedByAddress, countedByCaller, type Edge } from "./edge.ts";
import { callerRefusedBy, type Followed } from "./follow.ts";
import { isOpen } from "./openapi.ts";
import { refusalsOf } from "./openapi-answers.ts";
import { parse } from "./refusals.ts";
import type { Answer, Call, Caller, Route } from "./route.ts";

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** The whole way of a request through a declared route: limit, caller, key, input, work, answer. */
export function serveRoute(edge: Edge, route: Route): Handler {
  const query = strictly(route.query);
  const body = route.body === "raw" ? "raw" : strictly(route.body);
  const name = `${route.method} ${route.path}`;
  const open = route.needs === "public";
  const declared = refusalsOf(route);
  const isChecked = checksOf(edge.options.checkAnswers);
  const answer = async (known: Call, { request, reply }: Served): Promise<FastifyReply> => {
    const { caller } = known;
    if (caller !== undefined) edge.options.metrics.observeCall(caller.tenant);
    if (caller !== undefined)
      await countAgainst(edge, reply, {
        counted: countedByCaller(edge, { route: name, limit: route.limit, caller }),
        call: known,
        route: name,
      });
    const key = route.idempotency === undefined ? undefined : idempotencyKeyOf(known);
    const params = route.params === undefined ? undefined : parse(route.params, request.params);
    if (caller !== undefined) await edge.options.decide?.({ ...known, caller }, deedOf(route, params));
    const asked = query === undefined ? undefined : parse(query, request.query);
    const sent = await readInput(request, { body, bytesMax: route.bodyBytesMax ?? edge.bodyBytesMax });
    const call: Call = {
      ...known,
      ...(key === undefined ? {} : { idempotencyKey: key }),
      ...(sent.bytes === undefined && key === undefined ? {} : { bodyDigest: digestOf(known, sent) }),
    };
    const made = await traced(edge, name, () =>
      route.handle(call, { params, query: asked, body: sent.value }),
    ).catch((error: unknown) => {
      if (error instanceof Problem && declared.get(error.status)?.has(error.code) !== true)
        call.log.warn(
          { route: name, code: error.code, status: error.status },
          "refuses by a code it does not declare",
        );
      throw error;
    });
    if (isChecked()) checkAnswer(route, made);
    return sendAnswer(reply, made);
  };
  return async (request, reply) => {
    reply.headers(edge.headers.api);
    const opened = callOf(request);
    await countAgainst(edge, reply, {
      counted: countedByAddress(edge, { route: name, limit: route.limit, open, call: opened }),
      call: opened,
      route: name,
    });
    const known = await identify(edge, { route, request, reply }).catch((error: unknown) => {
      follow(edge, { route, request, call: opened, caller: callerRefusedBy(error) });
      throw error;
    });
    const followed = follow(edge, { route, request, call: known, caller: known.caller });
    return followed === undefined
      ? answer(known, { request, reply })
      : followed.run(() => answer(known, { request, reply }));
  };
}

type Served = { readonly request: FastifyRequest; readonly reply: FastifyReply };

type ToFollow = {
  readonly route: Route;
  readonly request: FastifyRequest;
  readonly call: Call;
  readonly caller: Caller | undefined;
};

/** From here on the request is followed, if its caller is known and somebody follows. */
function follow(edge: Edge, { route, request, call, caller }: ToFollow): Followed | undefined {
  if (caller === undefined || edge.options.follow === undefined) return undefined;
  const { requestId, now: at } = call;
  const { method, path: declared } = route;
  const followed = edge.options.follow({
    requestId,
    at,
    caller,
    method,
    route: declared,
    path: pathOf(request),
  });
  request.remitFollowed = followed;
  return followed;
}

/** The parameters of a path are text, whatever their schema makes of it besides. */
const deedOf = ({ method, path }: Route, params: unknown): Deed => ({
  method,
  path,
  params: Object.fromEntries(Object.entries(params ?? {}).map(([name, value]) => [name, String(value)])),
});

const traced = (edge: Edge, name: string, work: () => Promise<Answer>): Promise<Answer> =>
  edge.options.tracer === undefined ? work() : edge.options.tracer.span(name, {}, work);

/** Unknown members of what callers send are refused: a misspelt limit must not pass as no limit. */
const strictly = (schema: z.ZodType | undefined): z.ZodType | undefined =>
  isOpen(schema) ? schema.strict() : schema;

async function identify(
  edge: Edge,
  { route, request, reply }: { route: Route; request: FastifyRequest; reply: FastifyReply },
): Promise<Call> {
  const call = callOf(request);
  if (route.needs === "public") return call;
  const { authenticate, origin } = edge.options;
  invariant(authenticate !== undefined, "a server with protected routes can authenticate");
  const { caller, headers } = await authenticate(
    {
      method: request.method,
      url: origin + pathOf(request),
      authorization: call.header("authorization"),
      dpop: call.header("dpop"),
      now: call.now,
    },
    route.needs,
  );
  if (headers !== undefined) reply.headers(headers);
  return calledBy(call, caller);
}

const pathOf = (request: FastifyRequest): string => (request.raw.url ?? "/").split(/[?#]/, 1)[0] ?? "/";

/** 1 to 255 visible ASCII characters (V11); two of them, or one with a line break, never reach us as one. */
function idempotencyKeyOf(call: Call): string {
  const key = call.header("idempotency-key");
  if (key === undefined || key === "") throw new Problem("idempotency_key_required");
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new Problem("idempotency_key_invalid");
  return key;
}

type Sent = { readonly value: unknown; readonly bytes: Uint8Array | string | undefined };

async function readInput(
  request: FastifyRequest,
  { body, bytesMax }: { body: z.ZodType | "raw" | undefined; bytesMax: number },
): Promise<Sent> {
  if (body === undefined) return { value: undefined, bytes: undefined };
  if (body === "raw") {
    const bytes = await readBody(request.raw, bytesMax);
    return { value: bytes, bytes };
  }
  const json = await readJson(request.raw, bytesMax);
  return { value: parse(body, json), bytes: canonicalise(json) };
}

// The digest covers method and address too: a key used again for another charge's capture is another request.
function digestOf(call: Call, { bytes }: Sent): string {
  const head = `${call.method} ${call.url}\n`;
  const body = typeof bytes === "string" ? bytes : Buffer.from(bytes ?? "").toString("base64");
  return sha256b64url(head + body);
}

const alwaysUntil = 100;

/** Each of the first answers of a route, and then every hundredth: looking through a long list costs more than making it. */
function checksOf(wanted: boolean | undefined): () => boolean {
  let answered = 0;
  return () => wanted !== false && (answered++ < alwaysUntil || answered % alwaysUntil === 0);
}

function checkAnswer(route: Route, answer: Answer): void {
  const declared = new Map(Object.entries(route.answers)).get(String(answer.status));
  invariant(
    declared instanceof z.ZodType,
    `${route.method} ${route.path} declares the status ${answer.status}`,
  );
  const wrong = declared
    .safeParse(answer.body)
    .error?.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
  invariant(wrong === undefined, `${route.method} ${route.path} answers as declared (${wrong?.join("; ")})`);
}

function sendAnswer(reply: FastifyReply, { status, headers = {}, body }: Answer): FastifyReply {
  reply.code(status).headers(headers);
  if (body === undefined) return reply.send();
  if (body instanceof Readable) return reply.send(body);
  const raw = typeof body === "string" || body instanceof Uint8Array;
  if (raw && reply.hasHeader("content-type"))
    // As bytes: to text Fastify would add a charset, which JSON types do not have (RFC 8259 §11).
    return reply.send(Buffer.from(body));
  if (!reply.hasHeader("content-type")) reply.header("content-type", "application/json");
  return reply.send(Buffer.from(JSON.stringify(body)));
}
