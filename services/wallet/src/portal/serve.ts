import type { Mount, PageCall } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import type { Log } from "@remit/platform/telemetry";
import { evidenceKeysPath, Problem } from "@remit/protocol";
import { type ApiDeps, apiOf, approvalNews, organizationApiOf } from "../api/index.ts";
import type { Live, Watching } from "../live/index.ts";
import type { Notices } from "../notices/index.ts";
import type { PortalSession, Sessions } from "../sessions/index.ts";
import { assertOwnForm, type Cookies } from "../sign-in/index.ts";
import type { Views } from "../views/index.ts";
import type { Portal } from "./portal.ts";
import { isUse } from "./use.ts";

type Deps = {
  readonly portal: () => Promise<Portal>;
  readonly sessions: Sessions;
  readonly cookies: Cookies;
  readonly api: ApiDeps;
  readonly origin: string;
  readonly issuer: string;
  readonly outbound: Outbound;
  readonly live: Live;
  readonly notices: Notices;
  readonly views: Views;
};

/** What forms of the pages do that ends something, allows less or gives back (SvelteKit posts to `?/name`). */
const stops: ReadonlySet<string> = new Set([
  "accept",
  "decommission",
  "deny",
  "drain",
  "end",
  "endOthers",
  "freeze",
  "freezeAll",
  "narrow",
  "refund",
  "remove",
  "removePartner",
  "removePolicy",
  "revoke",
  "revokeExport",
  "suspend",
  "suspendPartner",
  "withdraw",
]);

/** Everything that no route claims: the application's files and pages, each page with who is signed in. */
export const portalMount = (deps: Deps): Mount => ({
  criticality: ({ method, url = "" }) =>
    method === "POST" && stops.has(/\?\/(\w+)/.exec(url)?.[1] ?? "") ? "critical" : "sheddable",
  handle: async (call) => {
    const portal = await deps.portal();
    if (await portal.asset(call)) return;
    secure(call, deps.origin);
    if (call.method !== "GET" && call.method !== "HEAD") assertOwnForm(call, deps.origin);
    const secret = deps.cookies.session.read(call.cookies);
    const how = isUse(call, deps.cookies) ? "find" : "look";
    const session = secret === undefined ? undefined : await deps.sessions[how](secret);
    await portal.page(call, {
      requestId: call.requestId,
      issuer: deps.issuer,
      nowMs: call.now,
      report: (error) => call.log.error({ error }, "a page failed"),
      evidenceKeys: () => evidenceKeys(deps),
      ...(session === undefined
        ? {}
        : {
            signedIn: {
              person: session.person,
              api: apiOf(deps.api, session, call.log),
              actFor: (organization) => organizationApiOf(deps.api, { session, organization }, call.log),
              notices: deps.notices.of(session.person.account),
              views: deps.views.of(session.person.account),
              news: () => deps.live.stream(watchingOf(deps.api, session, call.log)),
            },
          }),
    });
  },
});

function watchingOf(api: ApiDeps, session: PortalSession, log: Log): Watching {
  const { charges } = apiOf(api, session, log);
  return {
    session,
    approvals: (known) => approvalNews(api, session, known),
    purchases: async () => {
      const newest = await charges({ query: { limit: "5" } });
      return newest.ok ? newest.value.data.map(({ id, status }) => `${id} ${status}`).join() : undefined;
    },
  };
}

async function evidenceKeys({ outbound, issuer }: Deps): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const { status, body } = await outbound.request({ url: issuer + evidenceKeysPath });
    return status === 200 ? new Uint8Array(body) : undefined;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** Of pages; the content security policy, whose nonce is the page's own, is the application's (hooks.server.ts). */
function secure({ raw: { res } }: PageCall, origin: string): void {
  res.setHeader("X-Content-Type-Options", "nosniff");
  res.setHeader("X-Frame-Options", "DENY");
  res.setHeader("Referrer-Policy", "same-origin");
  res.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  res.setHeader("Cache-Control", "no-store");
  if (origin.startsWith("https:"))
    res.setHeader("Strict-Transport-Security", "max-age=63072000; includeSubDomains");
}
