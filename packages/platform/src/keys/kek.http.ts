import { minuteMs } from "@remit/kernel";
import { KekRotationBody } from "@remit/protocol/contracts";
import { onlyOperator, type Route, route } from "../http/index.ts";
import type { KekProgress, KekRotation } from "./kek-rotation.ts";

const needs = { scope: "admin:orgs" } as const;

/** How the operator gives this service another key-encryption key, and sees how far that is. */
export const kekRoutes = (rotation: KekRotation): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/keys/kek",
    summary: "Which key-encryption key wraps, and what is still under the former one",
    needs,
    answers: { 200: KekRotationBody, 403: "forbidden" },
    handle: async ({ caller }) => {
      onlyOperator(caller);
      return { status: 200, body: bodyOf(await rotation.progress()) };
    },
  }),
  route({
    method: "POST",
    path: "/api/v1/keys/kek/rotate",
    summary: "Wrap with another key-encryption key from now on, and rewrap everything",
    needs,
    answers: { 202: KekRotationBody, 403: "forbidden" },
    limit: { count: 10, windowMs: minuteMs, by: "client" },
    handle: async ({ caller }) => {
      onlyOperator(caller);
      return { status: 202, body: bodyOf(await rotation.begin()) };
    },
  }),
];

const bodyOf = ({ current, former, remaining }: KekProgress) => ({ current, former, remaining });
