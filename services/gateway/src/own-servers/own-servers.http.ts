import { minuteMs } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import {
  AnsweredPurchase,
  AnswerPurchase,
  BeginPurchase,
  BegunPurchase,
  idOf,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { answerPurchase, beginPurchase, type OwnServerDeps } from "./own-servers.ts";

const needs = { scope: "charges:write" } as const;
// As many as one gateway can ask for payment, and some more.
const limit = { count: 120_000, windowMs: minuteMs, by: "tenant" } as const;
const headBytesMax = 512 * 1024;
// An answer of 8 MiB in base64, beside a request's headers.
const answerBytesMax = 12 * 1024 * 1024;
const PurchasePath = z.strictObject({ id: idOf("claim") });

/** For merchants' own servers, which sell what their handlers answer: by every rail, under the gateway's rules. */
export const ownServerRoutes = (deps: OwnServerDeps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/purchases",
    summary:
      "Have a request for something you sell paid: the answer for its buyer, or a payment that is held until yours is there",
    needs,
    limit,
    bodyBytesMax: headBytesMax,
    body: BeginPurchase,
    answers: {
      200: BegunPurchase,
      400: "invalid_request",
      404: "not_found",
      422: "offer_refused",
      503: "unavailable",
    },
    handle: async ({ caller, requestId }, { body }) => ({
      status: 200,
      body: await beginPurchase(deps, { caller, requestId }, body),
    }),
  }),
  route({
    method: "POST",
    path: "/api/v1/purchases/:id/answer",
    summary:
      "Bring what was made for a payment that is held: it is taken below 400, else given back; may be repeated",
    needs,
    criticality: "critical",
    limit,
    bodyBytesMax: answerBytesMax,
    params: PurchasePath,
    body: AnswerPurchase,
    answers: {
      200: AnsweredPurchase,
      400: "invalid_request",
      404: "not_found",
      422: "offer_refused",
      503: "unavailable",
    },
    handle: async ({ caller, requestId }, { params, body }) => ({
      status: 200,
      body: await answerPurchase(deps, { caller, requestId }, { id: params.id, ...body }),
    }),
  }),
];
