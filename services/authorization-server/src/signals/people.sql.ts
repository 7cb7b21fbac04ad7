import type { Id } from "@remit/kernel";
import { type RelayTx, sql } from "@remit/platform/sql";

export type AtApplication = { readonly event: string; readonly tenant: Id<"tenant"> };
export type InSession = AtApplication & { readonly client: Id<"client"> };

/**
 * For each event those of the session's applications whose organization has a stream: nobody else is told. Its grants may have
 * been revoked with it.
 */
export const applicationsOfSessions = (
  tx: RelayTx,
  asked: readonly { readonly event: string; readonly sid: string }[],
): Promise<InSession[]> =>
  tx.many<InSession>(sql`
    select distinct asked.event, c.tenant_id as tenant, c.id as client
    from unnest(${asked.map(({ event }) => event)}::text[], ${asked.map(({ sid }) => sid)}::text[]) as asked (event, sid)
    join oauth_grants g on g.session_sid = asked.sid
    join clients c on c.id = g.client_id
    where exists (select from signal_streams s where s.tenant_id = c.tenant_id and not s.wide)`);

/** For each event the organizations that have a stream and an application that the person signed in at and has not left; `left` asks for those too. */
export const applicationsOfPeople = (
  tx: RelayTx,
  asked: readonly { readonly event: string; readonly account: string; readonly left: boolean }[],
): Promise<AtApplication[]> =>
  tx.many<AtApplication>(sql`
    select distinct asked.event, c.tenant_id as tenant
    from unnest(${asked.map(({ event }) => event)}::text[], ${asked.map(({ account }) => account)}::text[])
      as asked (event, account)
    join oauth_grants g on g.account_id = asked.account
      and (g.revoked_at is null or asked.event = any(${asked.filter(({ left }) => left).map(({ event }) => event)}::text[]))
    join clients c on c.id = g.client_id
    where exists (select from signal_streams s where s.tenant_id = c.tenant_id and not s.wide)`);
