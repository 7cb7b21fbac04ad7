import { minuteMs, toRfc3339 } from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { type Route, route } from "@remit/platform/http";
import {
  ConfirmMerchantKeys,
  idOf,
  MerchantBody,
  MerchantList,
  MerchantQuery,
  OwnMerchantList,
  OwnMerchantQuery,
  RegisterMerchant,
} from "@remit/protocol/contracts";
import { z } from "zod";
import {
  confirmKeys,
  countingKeys,
  type Deps,
  findVerified,
  type Merchant,
  ownMerchants,
  pageOf,
  registerMerchant,
  verifyMerchant,
} from "./merchants.ts";

const pageLength = 50;
const byId = z.strictObject({ id: idOf("merchant") });

export const merchantRoutes = (deps: Deps, cursors: Cursors): Route[] => [
  registerRoute(deps),
  verifyRoute(deps),
  confirmRoute(deps),
  listRoute(deps, cursors),
  ownRoute(deps),
  readRoute(deps),
];

const registerRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/merchants",
    summary: "Registers the calling client as a merchant, provisional until its origin has named it.",
    needs: { scope: "directory:write" },
    body: RegisterMerchant,
    answers: {
      201: MerchantBody,
      400: "invalid_request",
      403: "client_not_allowed",
      409: ["merchant_client_taken", "merchant_origin_taken"],
    },
    limit: { count: 60, windowMs: minuteMs },
    handle: async (call, { body }) => {
      const { catalogue_uri: catalogueUri, ...given } = body;
      const merchant = await registerMerchant(deps, call.caller, {
        displayName: given.display_name,
        origin: given.origin,
        clientId: given.client_id,
        jwksUri: given.jwks_uri,
        ...(catalogueUri === undefined ? {} : { catalogueUri }),
        country: given.country,
        currencies: given.currencies,
        categories: given.categories,
        rails: given.rails,
      });
      return { status: 201, body: bodyOf(merchant) };
    },
  });

const verifyRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/merchants/:id/verify",
    summary: "Verifies that the origin names this merchant, and takes over the keys that it serves.",
    // Whoever may say who is paid may ask whether the origin has proven itself: it changes nothing that the origin does not say.
    needs: { scope: ["directory:write", "directory:read", "offers:write"] },
    params: byId,
    answers: {
      200: MerchantBody,
      404: "not_found",
      409: ["merchant_catalogue_mismatch", "merchant_keys_replaced", "merchant_origin_taken"],
      422: ["merchant_jwks_invalid", "merchant_jwks_unreachable", "merchant_proof_missing"],
    },
    limit: { count: 60, windowMs: minuteMs },
    handle: async (call, { params }) => ({
      status: 200,
      body: bodyOf(await verifyMerchant(deps, call.caller, params.id)),
    }),
  });

const confirmRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/merchants/:id/keys",
    summary: "Takes over at once the keys that the origin serves, which a person names by their thumbprints.",
    // RFC 9470: what buyers are asked to trust from now on is for a person, there and then.
    needs: {
      scope: "offers:write",
      stepUp: { acrValues: ["urn:remit:aal2", "urn:remit:aal3"], maxAgeS: 300 },
    },
    params: byId,
    body: ConfirmMerchantKeys,
    answers: {
      200: MerchantBody,
      404: "not_found",
      409: ["merchant_catalogue_mismatch", "merchant_keys_not_as_named", "merchant_origin_taken"],
      422: ["merchant_jwks_invalid", "merchant_jwks_unreachable", "merchant_proof_missing"],
    },
    limit: { count: 10, windowMs: minuteMs },
    handle: async ({ caller }, { params: { id }, body: { thumbprints } }) => ({
      status: 200,
      body: bodyOf(await confirmKeys(deps, caller, { id, thumbprints })),
    }),
  });

const listRoute = (deps: Deps, cursors: Cursors): Route =>
  route({
    method: "GET",
    path: "/api/v1/merchants",
    summary: "Verified merchants, in the order in which they were registered.",
    needs: "public",
    query: MerchantQuery,
    answers: { 200: MerchantList, 400: "cursor_invalid" },
    handle: async (_, { query: { cursor, ...filter } }) => {
      const after = cursor === undefined ? "" : cursors.read(filter, cursor);
      const { client_id: clientId, ...rest } = filter;
      const found = await pageOf(deps.db, { clientId, ...rest }, { after, limit: pageLength + 1 });
      const page = found.slice(0, pageLength);
      const last = found.length > pageLength ? page.at(-1) : undefined;
      const next = last === undefined ? null : cursors.make(filter, last.id);
      return { status: 200, body: { data: page.map(bodyOf), next_cursor: next } };
    },
  });

const ownRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/organization/merchants",
    summary: "What the caller's organization sells as, verified or not, newest first.",
    needs: { scope: ["offers:read", "directory:read"] },
    query: OwnMerchantQuery,
    answers: { 200: OwnMerchantList },
    handle: async ({ caller }, { query: { limit, cursor } }) => {
      const found = await ownMerchants(db, caller.tenant, { limit: limit + 1, before: cursor });
      const page = found.slice(0, limit);
      const next = found.length > limit ? (page.at(-1)?.id ?? null) : null;
      return { status: 200, body: { data: page.map(bodyOf), next_cursor: next } };
    },
  });

const readRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/merchants/:id",
    summary: "One verified merchant.",
    needs: "public",
    params: byId,
    answers: { 200: MerchantBody, 404: "not_found" },
    handle: async (_, { params }) => ({ status: 200, body: bodyOf(await findVerified(deps.db, params.id)) }),
  });

const bodyOf = (merchant: Merchant): z.input<typeof MerchantBody> => ({
  id: merchant.id,
  tenant_id: merchant.tenant,
  display_name: merchant.displayName,
  origin: merchant.origin,
  client_id: merchant.clientId,
  jwks_uri: merchant.jwksUri,
  jwks: { keys: countingKeys(merchant).keys.flatMap((key) => (key.kty === "RSA" ? [] : [{ ...key }])) },
  catalogue_uri: merchant.catalogueUri ?? null,
  country: merchant.country,
  currencies: [...merchant.currencies],
  categories: [...merchant.categories],
  rails: [...merchant.rails],
  verification_status: merchant.verifiedAt === undefined ? "provisional" : "verified",
  verified_at: merchant.verifiedAt === undefined ? null : toRfc3339(merchant.verifiedAt),
  updated_at: toRfc3339(merchant.updatedAt),
});
