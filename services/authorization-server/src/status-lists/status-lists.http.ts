import { minuteMs } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import { Problem, statusList2021MediaType, statusListMediaType } from "@remit/protocol";
import { z } from "zod";
import { formOf, type StatusLists, statusListTtlS } from "./status-lists.ts";

const ListPath = z.strictObject({ id: z.string().regex(/^[1-9]\d{0,8}$/) });
const ListQuery = z.strictObject({ purpose: z.enum(["revocation", "suspension"]).optional() });

/** GET /oauth/status-list/{id}: one table of states in the form that Accept asks for. */
export const statusListRoutes = (lists: StatusLists): Route[] => [
  route({
    method: "GET",
    path: "/oauth/status-list/:id",
    summary: "The states of mandates (Token Status List, or StatusList2021 by content negotiation)",
    needs: "public",
    params: ListPath,
    query: ListQuery,
    answers: { 200: z.string(), 304: nothing, 404: "not_found", 406: "not_acceptable" },
    types: [statusListMediaType, statusList2021MediaType],
    limit: { count: 600, windowMs: minuteMs, by: "ip" },
    handle: async (call, { params, query }) => {
      const form = formOf(call.header("accept"), query.purpose);
      const list = await lists.read(Number(params.id), form);
      if (list === undefined) throw new Problem("not_found", { detail: "There is no such list." });
      const headers = {
        "content-type": form === "token" ? statusListMediaType : statusList2021MediaType,
        "cache-control": `public, max-age=${statusListTtlS}`,
        etag: list.etag,
        vary: "Accept",
      };
      if (call.header("if-none-match") === list.etag) return { status: 304, headers };
      return { status: 200, headers, body: list.body };
    },
  }),
];
