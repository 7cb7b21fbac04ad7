import { managementScopes, type ProblemCode, problems } from "@remit/protocol";
import { z } from "zod";
import type { Json, Schemas } from "./openapi-schemas.ts";
import type { Described, Route } from "./route.ts";

/** What every answer may be beside what its route declares: the edge refuses before the route is asked. */
export function refusalsOf(route: Route): ReadonlyMap<number, ReadonlySet<ProblemCode>> {
  const codes = new Map<number, Set<ProblemCode>>();
  const add = (status: number, code: ProblemCode): void =>
    void codes.set(status, (codes.get(status) ?? new Set()).add(code));
  for (const [status, answer] of Object.entries(route.answers))
    if (!(answer instanceof z.ZodType)) for (const code of [answer].flat()) add(Number(status), code);
  for (const code of impliedOf(route)) add(problems[code].status, code);
  return codes;
}

function impliedOf({ needs, body, idempotency, query }: Route): ProblemCode[] {
  return [
    "invalid_request",
    "rate_limited",
    "internal_error",
    "unavailable",
    ...(body === undefined ? [] : (["payload_too_large", "unsupported_media_type"] as const)),
    ...(takesCursor(query) ? (["cursor_invalid"] as const) : []),
    ...(idempotency === undefined ? [] : keyRefusals),
    ...(needs === "public" ? [] : tokenRefusals),
    ...(needs !== "public" && [needs.scope].flat().some((scope) => managementScopes.has(scope))
      ? (["policy_denied", "policy_unavailable"] as const)
      : []),
    ...(needs !== "public" && needs.bearer === undefined ? (["bound_token_required"] as const) : []),
    ...(needs !== "public" && needs.stepUp ? (["insufficient_user_authentication"] as const) : []),
  ];
}

const keyRefusals = [
  "idempotency_key_required",
  "idempotency_key_invalid",
  "idempotency_in_flight",
  "idempotency_conflict",
] as const satisfies readonly ProblemCode[];

const tokenRefusals = [
  "invalid_token",
  "token_revoked",
  "aud_mismatch",
  "invalid_dpop_proof",
  "use_dpop_nonce",
  "insufficient_scope",
] as const satisfies readonly ProblemCode[];

const takesCursor = (query: z.ZodType | undefined): boolean =>
  query instanceof z.ZodObject && "cursor" in query.shape;

/** Every answer of a declared route: what it declares, and what the edge may refuse. */
export function answersOf(route: Route, schemas: Schemas): Json {
  const refusals = refusalsOf(route);
  const done = Object.entries(route.answers).flatMap(([status, answer]) =>
    answer instanceof z.ZodType ? [[Number(status), doneOf(answer, route.types, schemas)] as const] : [],
  );
  const answers = new Map<number, Answer>(done);
  for (const [status, codes] of refusals) {
    const other = answers.get(status);
    const refused = refusedWith(status, codes);
    answers.set(status, other === undefined ? refused : both(other, refused));
  }
  return inOrder(answers);
}

/** The answers of what a foreign handler serves. */
export const answersOfDescribed = ({ answers }: Described, schemas: Schemas): Json =>
  inOrder(
    new Map(
      Object.entries(answers).map(([status, { description, schema, type = "application/json" }]) => [
        Number(status),
        {
          description,
          headers: requestId,
          ...(schema === undefined ? {} : { content: { [type]: schemas.shown(schema, "output") } }),
        },
      ]),
    ),
  );

type Answer = { readonly description: string; readonly headers?: Json; readonly content?: Json };

const inOrder = (answers: ReadonlyMap<number, Answer>): Json =>
  Object.fromEntries([...answers].sort(([a], [b]) => a - b).map(([status, of]) => [String(status), of]));

const requestId: Json = { "X-Request-Id": { $ref: "#/components/headers/RequestId" } };

function doneOf(schema: z.ZodType, types: readonly string[], schemas: Schemas): Answer {
  if (schema instanceof z.ZodUndefined) return { description: "Done.", headers: requestId };
  const shown = schemas.shown(schema, "output");
  const content = Object.fromEntries(types.map((type) => [type, shown]));
  return { description: "Done.", headers: requestId, content };
}

function refusedWith(status: number, codes: ReadonlySet<ProblemCode>): Answer {
  const sorted = [...codes].sort((a, b) => a.localeCompare(b));
  const schema = {
    allOf: [{ $ref: "#/components/schemas/Problem" }, { properties: { code: { enum: sorted } } }],
  };
  const examples = Object.fromEntries(
    sorted.map((code) => [code, { $ref: `#/components/examples/${code}` }]),
  );
  return {
    description: sorted.map((code) => `\`${code}\`: ${problems[code].title}.`).join(" "),
    headers: { ...requestId, ...headersOf(status) },
    content: { "application/problem+json": { schema, examples } },
  };
}

function headersOf(status: number): Json {
  if (status === 401) return { "WWW-Authenticate": { $ref: "#/components/headers/Challenge" } };
  if (status === 429 || status === 503) return { "Retry-After": { $ref: "#/components/headers/RetryAfter" } };
  return {};
}

/** A status that is both an answer and a refusal: two kinds of body. */
const both = (answer: Answer, refused: Answer): Answer => ({
  description: `${answer.description} Or refused: ${refused.description}`,
  headers: { ...answer.headers, ...refused.headers },
  content: { ...answer.content, ...refused.content },
});

/** What answers refer to: the shape of a refusal, one example per code, and headers. */
export const answerComponents = (origin: string) => ({
  problem: problemSchema,
  examples: Object.fromEntries(
    Object.entries(problems).map(([code, { status, title, remedy }]) => [
      code,
      {
        summary: title,
        value: {
          type: `${origin}/docs/problems/${code}`,
          title,
          status,
          code,
          remedy,
          request_id: "req_01arz3ndektsv4rrffq69g5fav",
        },
      },
    ]),
  ),
  headers: {
    RequestId: { description: "Names the request in our log.", schema: { type: "string" } },
    Challenge: {
      description: "What is missing (RFC 9110 §11.6.1, RFC 9449 §7.1).",
      schema: { type: "string" },
    },
    RetryAfter: { description: "Seconds to wait (RFC 9110 §10.2.3).", schema: { type: "string" } },
  },
});

const problemSchema: Json = {
  type: "object",
  description: "A refusal (RFC 9457). `type` is a page that says what to do.",
  required: ["type", "title", "status", "code", "remedy", "request_id"],
  properties: {
    type: { type: "string", format: "uri" },
    title: { type: "string" },
    status: { type: "integer", minimum: 400, maximum: 599 },
    code: { type: "string" },
    detail: { type: "string" },
    remedy: { type: "string" },
    request_id: { type: "string" },
  },
};
