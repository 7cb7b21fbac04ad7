import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { PublicJwk } from "@remit/protocol";
import { answerQuestions } from "./pinned.ts";

// The peer as its documentation sets it up: in memory, nothing of ours in it, and the same rules for a request as ours:
// a bound key, a nonce, one resource, an ES256 access token.
const require = createRequire(new URL("./package.json", import.meta.url));
const { Provider } = await import(require.resolve("oidc-provider"));

type Wanted = { readonly clients: readonly { id: string; jwk: PublicJwk }[]; readonly secret: string };

answerQuestions({
  start: async ({ clients, secret }: Wanted) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo; // a TCP server's address
    const issuer = `http://localhost:${port}`;
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const usual = { redirect_uris: [], response_types: [], grant_types: ["client_credentials"] };
    const keyed = clients.map(({ id, jwk }) => ({
      ...usual,
      client_id: id,
      token_endpoint_auth_method: "private_key_jwt",
      dpop_bound_access_tokens: true,
      jwks: { keys: [jwk] },
    }));
    const provider = new Provider(issuer, {
      clients: [...keyed, { ...usual, client_id: "secret", client_secret: secret }],
      jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "peer" }] },
      clientDefaults: { id_token_signed_response_alg: "ES256" },
      responseTypes: ["code"],
      scopes: ["pay", "read"],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: "pay read",
            audience: "https://shop.example",
            accessTokenFormat: "jwt",
            jwt: { sign: { alg: "ES256" } },
          }),
        },
      },
    });
    server.on("request", provider.callback());
    return { issuer, tokenPath: "/token" };
  },
});
