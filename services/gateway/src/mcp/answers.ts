import type { Instant } from "@remit/kernel";
import {
  formatReceipt,
  type Json,
  type JsonObject,
  Problem,
  parseReceipt,
  problems,
  rpcChallenge,
  rpcPaymentCodes,
  rpcPaymentKeys,
  rpcReceipt,
  type SettleResponse,
  toProblemJson,
} from "@remit/protocol";
import type { Credential } from "../credentials/index.ts";
import {
  acceptable,
  errorOf,
  mppProblemType,
  requiredText,
  type TermsDeps,
  termsOf,
  type Wanted,
} from "../paywall/index.ts";
import type { SoldWhole } from "../purchases/index.ts";
import { credit, proven, withCredit } from "../storefront/index.ts";
import { remitKeys, withoutOurs, x402Keys } from "./credentials.ts";
import { judged } from "./goods.ts";
import type { RpcAnswer } from "./messages.ts";
import type { Convention } from "./sessions.ts";

/** How the one who asks understands it. */
export type Asking = {
  readonly now: Instant;
  readonly requestId: string;
  readonly convention: Convention;
  /** `Accept-Payment`. */
  readonly acceptPayment?: string;
  /** Members of every result in the caller's revision of MCP. */
  readonly resultType: JsonObject;
};

/** A payment that was tried, and by what. */
export type Tried = {
  readonly credential?: Credential | undefined;
  readonly settled?: SettleResponse | undefined;
};

/**
 * What it costs to call the tool. As a result it is told twice: x402's clients read `structuredContent`, MPP's what stands
 * in `_meta`. Those of MPP that asked for its errors get them (draft-payment-transport-mcp-00).
 */
export function paymentRequired(
  deps: TermsDeps,
  wanted: Wanted,
  { problem, asking, tried }: { readonly problem: Problem; readonly asking: Asking; readonly tried: Tried },
): RpcAnswer {
  const terms = termsOf(deps, wanted, { now: asking.now });
  const text = requiredText(wanted, terms, errorOf(problem));
  const required = JSON.parse(text) as JsonObject; // our own text
  const told = {
    ...toProblemJson(problem, asking.requestId, wanted.route.merchant.origin),
    status: 402,
    type: mppProblemType(problem.code),
  };
  const data = {
    httpStatus: 402,
    challenges: acceptable(terms.challenges, asking.acceptPayment).map(rpcChallenge),
    problem: told,
  };
  if (asking.convention === "error" || tried.credential?.door === "mpp")
    return { error: paymentError(problem, data, tried) };
  const meta = tried.settled !== undefined && { [x402Keys.response]: tried.settled };
  if (asking.convention === "extension")
    return {
      result: plain({
        resultType: "payment_required",
        paymentRequired: required,
        ...(meta && { _meta: meta }),
      }),
    };
  return {
    result: plain({
      isError: true,
      structuredContent: required,
      content: [{ type: "text", text }],
      _meta: { ...meta, [rpcPaymentKeys.required]: data },
      ...asking.resultType,
    }),
  };
}

function paymentError(problem: Problem, data: object, { credential }: Tried): JsonObject {
  const message = problem.detail ?? problems[problem.code].title;
  if (credential === undefined && problem.code === "payment_required")
    return plain({ code: rpcPaymentCodes.required, message, data });
  const failure = { reason: problem.code, detail: message };
  return plain({ code: rpcPaymentCodes.failed, message, data: { ...data, failure } });
}

type By = { readonly issuer: string; readonly credential: Credential; readonly resultType: JsonObject };

/** The tool's answer with the proof of payment; undefined where the server has refused by HTTP, and nothing was paid. */
export function soldAnswer(sold: SoldWhole, by: By): RpcAnswer | undefined {
  if (sold.kind === "owed") return owedAnswer(sold, by);
  const answer = judged(sold.answer);
  if (answer === undefined) return undefined;
  if ("error" in answer) return answer;
  const result = withoutOurs(answer.result);
  if (sold.kind === "unpaid") return { result };
  const { _meta: meta } = result;
  return {
    result: { ...result, ...by.resultType, _meta: { ...(meta as JsonObject), ...proofOf(sold, by) } },
  };
}

type Paid = Extract<SoldWhole, { kind: "paid" | "owed" }>;

function proofOf({ claim, replayed }: Paid, { issuer, credential }: By): JsonObject {
  const { settled, method, reference } = proven(claim, issuer, credential);
  const { challenge } = credential;
  const receipt = (): JsonObject =>
    rpcReceipt(
      parseReceipt(formatReceipt({ method, at: claim.updatedAt, reference })),
      challenge ?? { id: "" },
    );
  return plain({
    [x402Keys.response]: settled,
    ...(challenge !== undefined && { [rpcPaymentKeys.receipt]: receipt() }),
    ...(claim.receipt !== undefined && { [remitKeys.receipt]: claim.receipt }),
    ...(replayed && { [remitKeys.replayed]: true }),
  });
}

/** It is paid and could not be had: an error, with the proof that no second payment is due. */
function owedAnswer(owed: Extract<SoldWhole, { kind: "owed" }>, { issuer, credential }: By): RpcAnswer {
  const { settled } = proven(owed.claim, issuer, credential);
  const { answer, claim } = owed;
  const data = {
    httpStatus: answer instanceof Problem ? answer.status : 502,
    [x402Keys.response]: withCredit(settled, credit),
    ...(claim.receipt !== undefined && { [remitKeys.receipt]: claim.receipt }),
  };
  return { error: plain({ code: internalError, message: credit, data }) };
}

const internalError = -32_603;
const invalidParams = -32_602;
const serverError = -32_000;

/** A refusal that asks for no payment, as JSON-RPC says it ("Error Code Mapping"). */
export function refusal(
  problem: Problem,
  at: { readonly requestId: string; readonly origin: string },
): RpcAnswer {
  const told = toProblemJson(problem, at.requestId, at.origin);
  const message = problem.detail ?? problems[problem.code].title;
  const code = problem.status === 400 ? invalidParams : problem.status >= 500 ? internalError : serverError;
  return { error: plain({ code, message, data: { httpStatus: problem.status, problem: told } }) };
}

export const unknownTool = (name: Json): RpcAnswer => ({
  error: { code: invalidParams, message: `Unknown tool: ${JSON.stringify(name).slice(0, 128)}` },
});

/** What is written down as JSON is JSON: members that are undefined are none. */
const plain = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;
