import { minuteMs } from "@remit/kernel";
import type { Mount, PageCall } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { refusalPage } from "../pages/index.ts";
import { keepAddress } from "./guesses.ts";

/** The core's pages at /device, behind the check of every form of ours: sent from our own page, in this browser (A17). */
export const deviceMount = ({
  issuer,
  handle,
}: {
  issuer: string;
  handle: (call: PageCall) => Promise<void>;
}): Mount => ({
  prefixes: ["/device"],
  limit: { count: 240, windowMs: minuteMs, by: "ip" },
  handle: async (call) => {
    // The core keeps a session from the first page on, and fails on a later one without.
    const begins = call.method === "GET" && URL.parse(call.url)?.pathname === "/device";
    if (!begins && !(isOurs(call, issuer) && hasSession.test(call.cookies ?? "")))
      return refuse(call, new Problem("forbidden", { detail: "This form was not sent from our page." }));
    keepAddress(call.raw.req, call.ip);
    await handle(call);
  },
});

const hasSession = /(?:^|; )(?:__Host-)?remit_session=/;

// The secret that only the page knows is checked by the core against the session; this is what the browser says itself.
function isOurs(call: PageCall, issuer: string): boolean {
  const origin = call.header("origin");
  const site = call.header("sec-fetch-site");
  return (origin === undefined || origin === issuer) && (site === undefined || site === "same-origin");
}

function refuse({ raw }: PageCall, problem: Problem): void {
  const page = refusalPage(problem);
  raw.res.statusCode = page.status;
  for (const [name, value] of Object.entries(page.headers ?? {})) raw.res.setHeader(name, value);
  raw.res.setHeader("content-type", "text/html; charset=utf-8");
  raw.res.end("html" in page ? page.html : "");
}
