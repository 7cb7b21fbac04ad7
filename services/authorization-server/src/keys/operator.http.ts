import { after, minuteMs, toRfc3339 } from "@remit/kernel";
import { onlyOperator, type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import {
  KeyPath,
  RevokedKey,
  RevokeKey,
  RotatedKeys,
  RotateKeys,
  SigningKeyBody,
  SigningKeyList,
} from "@remit/protocol/contracts";
import type { z } from "zod";
import { type IssuerKeys, issuerPurposes } from "./keys.ts";

const needs = { scope: "admin:orgs" } as const;
const limit = { count: 120, windowMs: minuteMs, by: "client" } as const;
type Facts = Awaited<ReturnType<IssuerKeys["list"]>>[number];

/** What the operator of the installation does with its signing keys. Tenants have none, so theirs is no such right. */
export function operatorRoutes(keys: IssuerKeys): Route[] {
  return [listRoute(keys), rotateRoute(keys), revokeRoute(keys)];
}

const listRoute = (keys: IssuerKeys): Route =>
  route({
    method: "GET",
    path: "/api/v1/keys",
    summary: "Every signing key, with its state and its times",
    needs,
    answers: { 200: SigningKeyList, 403: "forbidden" },
    handle: async ({ caller }) => {
      onlyOperator(caller);
      return { status: 200, body: { data: (await keys.list()).map(bodyOf) } };
    },
  });

const rotateRoute = (keys: IssuerKeys): Route =>
  route({
    method: "POST",
    path: "/api/v1/keys/rotate",
    summary: "Publish the next key of one purpose or of all; it signs once every cache must know it",
    needs,
    body: RotateKeys,
    answers: { 200: RotatedKeys, 400: "invalid_request", 403: "forbidden" },
    limit,
    handle: async ({ caller }, { body }) => {
      onlyOperator(caller);
      const names = issuerPurposes.map(({ purpose }) => purpose);
      if (body.purpose !== undefined && !names.includes(body.purpose))
        throw new Problem("invalid_request", { detail: `purpose is one of ${names.join(", ")}.` });
      const data: z.input<typeof RotatedKeys>["data"] = [];
      for (const name of body.purpose === undefined ? names : [body.purpose]) {
        const { purpose, kid, notBefore } = await keys.rotate(name, caller.client);
        data.push({ purpose, kid, signs_from: toRfc3339(notBefore) });
      }
      return { status: 200, body: { data } };
    },
  });

// Every process of ours hears of it within 10 s, and whoever caches our JWKS looks again within 30 s (K03).
const refusedWithinMs = minuteMs;

const revokeRoute = (keys: IssuerKeys): Route =>
  route({
    method: "POST",
    path: "/api/v1/keys/:kid/revoke",
    summary: "End a key at once, because its private half may be known: everything it signed is refused",
    needs,
    criticality: "critical",
    params: KeyPath,
    body: RevokeKey,
    answers: { 200: RevokedKey, 403: "forbidden", 404: "not_found" },
    limit,
    handle: async ({ caller }, { params, body }) => {
      onlyOperator(caller);
      const by = { reason: body.reason, by: caller.client };
      const { revoked, successor } = await keys.revoke(params.kid, by);
      return {
        status: 200,
        body: {
          kid: revoked.kid,
          purpose: revoked.purpose,
          reason: revoked.reason ?? body.reason,
          successor: successor?.kid ?? null,
          refused_everywhere_by: toRfc3339(after(revoked.at, refusedWithinMs)),
        },
      };
    },
  });

const bodyOf = (key: Facts): z.input<typeof SigningKeyBody> => ({
  kid: key.kid,
  purpose: key.purpose,
  alg: key.alg,
  engine: key.engine,
  state: key.state,
  created_at: toRfc3339(key.created_at),
  not_before: toRfc3339(key.not_before),
  not_after: key.not_after === null ? null : toRfc3339(key.not_after),
  revoked_at: key.revoked_at === null ? null : toRfc3339(key.revoked_at),
  reason: key.reason,
});
