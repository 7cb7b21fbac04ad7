import { after, type Clock, dayMs, toRfc3339 } from "@remit/kernel";
import { type Mount, type Route, route } from "@remit/platform/http";
import { z } from "zod";
import { mandateType } from "./credential-type.ts";

const cached = { "cache-control": "public, max-age=300", "access-control-allow-origin": "*" };

/** What a verifier of mandates looks up (draft-ietf-oauth-sd-jwt-vc §5 and §6). */
export const credentialTypeRoutes = (issuer: string): Route[] => [
  route({
    method: "GET",
    path: "/.well-known/jwt-vc-issuer",
    summary: "Where the keys are that sign mandates",
    needs: "public",
    answers: { 200: z.object({ issuer: z.string(), jwks_uri: z.string() }) },
    handle: () => ({
      status: 200,
      headers: cached,
      body: { issuer, jwks_uri: `${issuer}/.well-known/jwks.json` },
    }),
  }),
  route({
    method: "GET",
    path: "/vct/mandate/1",
    summary: "What a mandate's claims mean, and which its holder may withhold",
    needs: "public",
    answers: { 200: z.looseObject({ vct: z.string() }) },
    handle: () => ({ status: 200, headers: cached, body: { ...mandateType(issuer) } }),
  }),
];

/** RFC 9116. */
export const securityTxt = ({
  issuer,
  clock,
}: {
  readonly issuer: string;
  readonly clock: Clock;
}): Mount => ({
  paths: ["/.well-known/security.txt"],
  handle: ({ raw }) => {
    const expires = toRfc3339(after(clock.now(), 180 * dayMs));
    const host = new URL(issuer).hostname;
    raw.res.writeHead(200, {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "public, max-age=3600",
    });
    raw.res.end(
      `Contact: mailto:security@${host}\nExpires: ${expires}\nCanonical: ${issuer}/.well-known/security.txt\nPreferred-Languages: en\n`,
    );
  },
});
