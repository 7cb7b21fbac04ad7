import { type Route, route } from "@remit/platform/http";
import type { PeerKeys } from "@remit/platform/peers";
import { z } from "zod";

/** Where the authorization server finds the key with which billing authenticates itself. */
export const jwksRoute = ({ jwks }: PeerKeys): Route =>
  route({
    method: "GET",
    path: "/.well-known/jwks.json",
    summary: "The key with which billing authenticates itself.",
    needs: "public",
    answers: { 200: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }) },
    handle: () => ({
      status: 200,
      body: { keys: jwks.keys.map((key) => ({ ...key })) },
      headers: { "Cache-Control": "public, max-age=300" },
    }),
  });
