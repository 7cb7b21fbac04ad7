import { parseId, toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { idOf, SessionList, SessionsEnded } from "@remit/protocol/contracts";
import { z } from "zod";
import { endOwnSession, endSessionsOf } from "./ending.ts";
import type { Sessions, SessionView } from "./sessions.operations.ts";
import { deviceOf, endsOf } from "./sessions.ts";

type Deps = { readonly db: Database; readonly sessions: Sessions };

const because = "revoked_by_person";
const Path = z.strictObject({ id: idOf("session") });

/** The signed-in person's own sessions. */
export const sessionRoutes = (deps: Deps): Route[] => [
  listRoute(deps),
  revokeRoute(deps),
  revokeManyRoute(deps),
];

const listRoute = ({ sessions }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/sessions",
    summary: "Where the caller is signed in, most recently seen first",
    needs: { scope: "wallet:read" },
    answers: { 200: SessionList },
    handle: async ({ caller }) => {
      const { account } = personOf(caller);
      const found = await sessions.list(caller.tenant, account);
      return { status: 200, body: { data: found.map((view) => bodyOf(view, caller)) } };
    },
  });

const revokeRoute = ({ db }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/sessions/:id/revoke",
    summary:
      "End one of the caller's sessions: its tokens are refused from now on, its applications are told",
    needs: { scope: "wallet:write" },
    criticality: "critical",
    params: Path,
    body: z.strictObject({}),
    answers: { 200: SessionsEnded, 404: "not_found" },
    handle: async ({ caller, now }, { params: { id } }) => {
      const person = personOf(caller);
      await db.of(caller.tenant).transaction((tx) => endOwnSession(tx, { ...person, id, because, now }));
      return { status: 200, body: { ended: 1 } };
    },
  });

const revokeManyRoute = ({ db }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/sessions/revoke",
    summary: "End all of the caller's sessions, or all but the one the token is of",
    needs: { scope: "wallet:write" },
    criticality: "critical",
    body: z.strictObject({ which: z.enum(["all", "others"]) }),
    answers: { 200: SessionsEnded },
    handle: async ({ caller, now }, { body: { which } }) => {
      const person = personOf(caller);
      const except = which === "others" ? caller.claims.sid : undefined;
      const ended = await db
        .of(caller.tenant)
        .transaction((tx) =>
          endSessionsOf(tx, person.account, { actor: person.actor, because, now, except }),
        );
      return { status: 200, body: { ended } };
    },
  });

/** A person, not a program: the token is of an account in its own home tenant. */
function personOf(caller: Caller) {
  const account = parseId("account", caller.subject);
  if (account === undefined) throw new Problem("forbidden", { detail: "Only a person has sessions." });
  return { account, actor: { type: "account", id: account } } as const;
}

function bodyOf(view: SessionView, { claims }: Caller): z.input<typeof SessionList>["data"][number] {
  return {
    id: view.id,
    current: view.sid === claims.sid,
    device: deviceOf(view.from?.userAgent ?? ""),
    ip: view.from?.ip ?? "",
    acr: view.acr ?? null,
    amr: [...view.amr],
    started_at: toRfc3339(view.createdAt),
    authenticated_at: toRfc3339(view.authenticatedAt),
    last_seen_at: toRfc3339(view.lastSeenAt),
    ends_at: toRfc3339(endsOf(view)),
  };
}
