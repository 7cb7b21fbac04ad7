import { onlyOperator, type Route, route } from "@remit/platform/http";
import { z } from "zod";
import type { Operations } from "./operations.ts";

const State = z.looseObject({ status: z.enum(["ok", "late", "failing"]) });
const Details = z.object({
  database: State,
  jobs: State,
  outbox: State,
  audit: State,
  webhooks: State,
  keys: State,
  cache: State,
});

/** The state in detail is the operator's alone; on the internal port whoever is on the machine sees it. */
export const operationsRoutes = ({ details }: Operations): Route[] => [
  route({
    method: "GET",
    path: "/health/detailed",
    summary: "The state of database, queues, audit log and keys, for the installation's operator",
    needs: { scope: "admin:orgs" },
    answers: { 200: Details, 403: "forbidden" },
    handle: async ({ caller }) => {
      onlyOperator(caller);
      return { status: 200, body: Details.parse(await details()) };
    },
  }),
];
