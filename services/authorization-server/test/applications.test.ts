import { minuteMs, secondMs, systemClock } from "@remit/kernel";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, newClient, OAuthClient, read, register, setupToken } from "./client.ts";
import { nowS, Partner } from "./partner.ts";
import { newKeys, type Running, startServer } from "./running.ts";

let running: Running;
const host = new Partner(1024);
/** By how much longer the server believes to have run. */
let ranMs = 0;

beforeAll(async () => {
  await host.listen();
  const clock = { ...systemClock, monotonicNs: () => systemClock.monotonicNs() + BigInt(ranMs) * 1_000_000n };
  running = await startServer({ tenantOutboundAllow: [host.host] }, { clock });
});
afterAll(async () => {
  await running.close();
  await host.close();
});

const metadata = (more: object = {}): object => ({
  client_name: "Reader",
  redirect_uris: ["https://reader.example/callback"],
  grant_types: ["authorization_code", "refresh_token"],
  ...more,
});

const newApplication = async (more: object = {}): Promise<Answer> =>
  register(running, await setupToken(running, "application"), metadata(more));

type Managing = { readonly uri: unknown; readonly token: unknown; readonly body?: object };

const manage = async (method: string, { uri, token, body }: Managing): Promise<Answer> =>
  read(
    await fetch(String(uri), {
      method,
      headers: {
        authorization: `Bearer ${String(token)}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );

const handleOf = ({ body }: Answer): { uri: unknown; token: unknown } => ({
  uri: body["registration_client_uri"],
  token: body["registration_access_token"],
});

describe("an application registers what it is, in full (RFC 7591)", () => {
  test("it gets all that was registered, a secret and the token that manages it", async () => {
    const answer = await newApplication({ client_uri: "https://reader.example", software_id: "ignored" });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("cache-control")).toContain("no-store");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.body).toMatchObject({
      client_id: expect.stringMatching(/^cli_/),
      client_id_issued_at: expect.any(Number),
      client_secret: expect.stringMatching(/^rms_/),
      client_secret_expires_at: 0,
      registration_access_token: expect.stringMatching(/^rms_/),
      registration_client_uri: `${running.issuer}/oauth/register/${String(answer.body["client_id"])}`,
      token_endpoint_auth_method: "client_secret_basic",
      application_type: "web",
      response_types: ["code"],
      subject_type: "public",
      id_token_signed_response_alg: "ES256",
      client_uri: "https://reader.example",
      scope: "openid email profile offline_access wallet:read",
    });
    expect(answer.body).not.toHaveProperty("software_id");
  });

  test("secret and management token are kept as digests alone", async () => {
    const { body } = await newApplication();
    const rows = await running.database.asAdmin("select to_jsonb(c)::text as row from clients c");
    const kept = JSON.stringify(rows);
    expect(kept).not.toContain(String(body["client_secret"]));
    expect(kept).not.toContain(String(body["registration_access_token"]));
  });

  test("A09 without a setup token nobody registers here", async () => {
    const answer = await read(
      await fetch(`${running.issuer}/oauth/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(metadata()),
      }),
    );
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
  });
});

describe("A09 what an application may not be", () => {
  test("A09 what it would believe to have and does not get is refused, in words of RFC 7591", async () => {
    const token = await setupToken(running, "application");
    for (const wrong of [
      { token_endpoint_auth_method: "private_key_jwt" },
      { scope: "openid wallet:write" },
      { jwks_uri: "https://10.0.0.1/jwks" },
      { backchannel_logout_uri: "https://localhost/logout" },
      { sector_identifier_uri: "https://169.254.169.254/sector" },
      { client_name: 7 },
    ]) {
      const answer = await register(running, token, metadata(wrong));
      expect([answer.status, answer.body["error"]], JSON.stringify(wrong)).toEqual([
        400,
        "invalid_client_metadata",
      ]);
      expect(answer.headers.get("content-type")).toBe("application/json");
    }
  });
});

describe("A09 a registration is managed by its own token alone (RFC 7592)", () => {
  test("A09 its owner reads it", async () => {
    const registered = await newApplication();
    const answer = await manage("GET", handleOf(registered));
    expect(answer.status).toBe(200);
    const {
      client_secret: _,
      client_secret_expires_at: __,
      client_id_issued_at: ___,
      ...same
    } = registered.body;
    expect(answer.body).toEqual(same);
  });

  test("A09 a change replaces everything, keeps the secret and gives a new token", async () => {
    const registered = await newApplication({ client_uri: "https://reader.example" });
    const handle = handleOf(registered);
    const { client_id, client_secret } = registered.body;
    const body = metadata({ client_id, client_secret, client_name: "Better reader" });
    const changed = await manage("PUT", { ...handle, body });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ client_id, client_name: "Better reader" });
    expect(changed.body).not.toHaveProperty("client_uri");
    expect(changed.body).not.toHaveProperty("client_secret");
    expect((await manage("GET", handle)).status).toBe(401);
    expect((await manage("GET", handleOf(changed))).body["client_name"]).toBe("Better reader");
  });

  test("A09 of four parallel changes by one token exactly one succeeds", async () => {
    const registered = await newApplication();
    const body = metadata({ client_id: registered.body["client_id"] });
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => manage("PUT", { ...handleOf(registered), body })),
    );
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 401, 401, 401]);
  });

  test("A09 a change may not choose a secret, another id, or what the server writes", async () => {
    const registered = await newApplication();
    const { client_id, registration_access_token } = registered.body;
    for (const wrong of [
      {},
      { client_id: "cli_other" },
      { client_id, client_secret: "chosen" },
      { client_id, registration_access_token },
      { client_id, client_id_issued_at: 1 },
    ]) {
      const answer = await manage("PUT", { ...handleOf(registered), body: metadata(wrong) });
      expect([answer.status, answer.body["error"]], JSON.stringify(wrong)).toEqual([400, "invalid_request"]);
    }
    expect((await manage("GET", handleOf(registered))).status).toBe(200);
  });

  test("A09 another application's token, none, an unknown and an agent's client are one refusal", async () => {
    const [one, other] = [await newApplication(), await newApplication()];
    const agent = await newClient(running, "agent");
    const { token } = handleOf(other);
    const uris = [one.body["registration_client_uri"], `${running.issuer}/oauth/register/cli_unknown`];
    for (const uri of [...uris, `${running.issuer}/oauth/register/${agent.id}`])
      for (const method of ["GET", "PUT", "DELETE"]) {
        const answer = await manage(method, {
          uri,
          token,
          ...(method === "PUT" ? { body: metadata() } : {}),
        });
        expect([answer.status, answer.body["error"], answer.body["error_description"]]).toEqual([
          401,
          "invalid_token",
          "The registration access token is unknown or no longer valid",
        ]);
      }
    expect((await fetch(String(one.body["registration_client_uri"]))).status).toBe(401);
  });

  test("A09 an ended application is gone: no management, no client", async () => {
    const registered = await newApplication();
    const handle = handleOf(registered);
    expect((await manage("DELETE", handle)).status).toBe(204);
    expect((await manage("GET", handle)).status).toBe(401);
    const { client_id, client_secret } = registered.body;
    const form = {
      grant_type: "authorization_code",
      code: "x",
      redirect_uri: "https://reader.example/callback",
    };
    const answer = await fetch(`${running.issuer}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams({
        ...form,
        client_id: String(client_id),
        client_secret: String(client_secret),
      }),
    });
    expect(answer.status).toBe(401);
  });
});

describe("K09 an application whose keys stand at an address of its own", () => {
  const form = {
    response_type: "code",
    redirect_uri: "https://reader.example/callback",
    scope: "openid",
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWSbUi-_JjjPQ".slice(0, 43).padEnd(43, "A"),
    code_challenge_method: "S256",
  };
  const shows = (...keys: object[]): void => {
    host.answer = { status: 200, body: JSON.stringify({ keys }) };
  };
  const application = async (assertion: PrivateJwk): Promise<OAuthClient> => {
    const { body } = await newApplication({
      token_endpoint_auth_method: "private_key_jwt",
      jwks_uri: host.jwksUri,
    });
    return new OAuthClient(running, String(body["client_id"]), { ...newKeys(), assertion });
  };
  const ask = async (client: OAuthClient): Promise<unknown> => {
    const { status, body } = await client.post("/oauth/par", form);
    return status === 201 ? "let in" : body["error"];
  };

  test("K09 a key is of whoever proved itself by it first: another that names it too is not let in", async () => {
    const key = generateJwk("ES256");
    const agent = await newClient(running, "agent");
    shows(publicJwkOf(key), publicJwkOf(agent.keys.assertion));
    const [first, second] = [await application(key), await application(key)];
    expect(await ask(first)).toBe("let in");
    expect(await ask(second)).toBe("invalid_client");
    expect(await ask(first)).toBe("let in");
    // An agent registered its key, and never used it yet.
    expect(await ask(await application(agent.keys.assertion))).toBe("invalid_client");
  });

  test.each([
    ["a private key", (key: PrivateJwk) => ({ ...key, kid: "mine" })],
    ["a symmetric key", () => ({ kty: "oct", k: "c2VjcmV0", kid: "shared" })],
    ["no key at all, but a text", () => ({ kty: "EC", crv: "P-256", x: "short" })],
  ])("K09 where %s stands beside it, nobody is let in by any", async (_, beside) => {
    const key = generateJwk("ES256");
    shows(publicJwkOf(key), beside(key));
    expect(await ask(await application(key))).toBe("invalid_client");
    shows(publicJwkOf(key));
    expect(await ask(await application(key))).toBe("let in");
  });

  test("K05 K09 another key there is taken at once, and one that was taken away counts for five minutes at most", async () => {
    const [former, next] = [generateJwk("ES256"), generateJwk("ES256")];
    shows(publicJwkOf(former));
    const client = await application(former);
    const rotated = new OAuthClient(running, client.id, { ...client.keys, assertion: next });
    expect(await ask(client)).toBe("let in");
    shows(publicJwkOf(next));
    ranMs += 31 * secondMs;
    expect(await ask(rotated)).toBe("let in");
    expect(await ask(client)).toBe("invalid_client");
    shows(publicJwkOf(former));
    ranMs += 301 * secondMs;
    expect(await ask(rotated)).toBe("invalid_client");
    // While the host is down, what was read last serves for an hour.
    expect(await ask(client)).toBe("let in");
    host.answer = { status: 500, body: "" };
    ranMs += 59 * minuteMs;
    expect(await ask(client)).toBe("let in");
    ranMs += 2 * minuteMs;
    expect(await ask(client)).toBe("invalid_client");
  });

  test("K09 nor by an RSA key, whose strength would be theirs to choose", async () => {
    host.answer = undefined;
    const client = await application(host.key);
    const claims = {
      iss: client.id,
      sub: client.id,
      aud: running.issuer,
      jti: "one",
      iat: nowS(),
      exp: nowS() + 60,
    };
    const answer = await read(
      await fetch(`${running.issuer}/oauth/par`, {
        method: "POST",
        body: new URLSearchParams({
          ...form,
          client_id: client.id,
          client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
          client_assertion: host.signRs256(claims),
        }),
      }),
    );
    expect(answer.body["error"]).toBe("invalid_client");
    expect(await ask(client)).toBe("let in");
  });
});
