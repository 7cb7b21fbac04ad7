import { nothing, type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { TellNotices } from "@remit/protocol/contracts";
import type { Notices } from "./notices.ts";

/** The issuer alone says what there is to tell: anybody else could make people click. */
export const noticesRoute = (notices: Notices): Route =>
  route({
    method: "POST",
    path: "/api/v1/notices",
    summary:
      "What people are to be told of, by ids, and who is to be forgotten; what comes again changes nothing",
    needs: { scope: "notices:write" },
    body: TellNotices,
    bodyBytesMax: 256 * 1024,
    answers: { 204: nothing, 403: "client_not_allowed" },
    handle: async ({ caller }, { body }) => {
      if (caller.client !== "authorization-server") throw new Problem("client_not_allowed");
      await notices.hear(body);
      return { status: 204 };
    },
  });
