import { Problem } from "@remit/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { readForm } from "./body.ts";
import { callOf, countAgainst, countedByAddress, type Edge } from "./edge.ts";
import { logRefusal, parse } from "./refusals.ts";
import type { Page, PageAnswer, PageCall } from "./route.ts";

/** The way of a request through a page: limit, form, work, HTML or redirect. */
export function servePage(
  edge: Edge,
  page: Page,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  return async (request, reply) => {
    reply.headers(edge.headers.page);
    const call = pageCallOf(request, reply);
    try {
      const route = `${page.method} ${page.path}`;
      const counted = countedByAddress(edge, { route, limit: page.limit, open: true, call });
      await countAgainst(edge, reply, { counted, call, route });
      const params = page.params === undefined ? undefined : parse(page.params, request.params);
      const query = page.query === undefined ? undefined : parse(page.query, request.query);
      const form =
        page.form === undefined
          ? undefined
          : parse(page.form, await readForm(request.raw, edge.bodyBytesMax));
      return sendPage(reply, await page.handle(call, { params, query, form }));
    } catch (error) {
      if (page.refused === undefined || !(error instanceof Problem)) throw error;
      logRefusal(call.log, error);
      return sendPage(reply, page.refused(error));
    }
  };
}

/** The call with its cookies and the raw pair. */
export const pageCallOf = (request: FastifyRequest, reply: FastifyReply): PageCall => {
  const call = callOf(request);
  return { ...call, cookies: request.raw.headers.cookie, raw: { req: request.raw, res: reply.raw } };
};

function sendPage(reply: FastifyReply, answer: PageAnswer): FastifyReply {
  reply.code(answer.status).headers(answer.headers ?? {});
  if (answer.setCookies !== undefined) reply.header("set-cookie", [...answer.setCookies]);
  if ("location" in answer) return reply.header("location", answer.location).send();
  if (!reply.hasHeader("content-type")) reply.header("content-type", "text/html; charset=utf-8");
  return reply.send(answer.html);
}
