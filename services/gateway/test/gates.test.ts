import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { after, hourMs, minuteMs, newId, toNumericDate, toRfc3339 } from "@remit/kernel";
import { base64, formatSignIn, type SignIn, signInText } from "@remit/protocol";
import { generateJwk, makeDpopProof, randomText, signJws, thumbprint } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type Answer, createAgent, merchantId, origin, startWorld, type World } from "./world.ts";

let world: World;
let sockets: WebSocketServer;
let socketsPort: number;

beforeAll(async () => {
  world = await startWorld();
  sockets = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "chat" });
  await once(sockets, "listening");
  socketsPort = (sockets.address() as AddressInfo).port; // it listens on a port
  const route = { merchant: merchantId, method: "GET", upstream: world.upstream.origin, name: "x", sku: "x" };
  const live = { ...route, upstream: `http://127.0.0.1:${socketsPort}` };
  await world.writeOffers({
    more: [
      { ...route, id: "mine", gate: "auth", path: "/mine/*" },
      { ...live, id: "live", gate: "free", path: "/live" },
      { ...live, id: "members", gate: "auth", path: "/members" },
      { ...route, id: "plain", gate: "free", path: "/plain" },
    ],
  });
  await world.gateway.reload();
});

afterAll(async () => {
  for (const client of sockets.clients) client.terminate();
  sockets.close();
  await world.close();
});

beforeEach(() => {
  world.upstream.requests.length = 0;
  world.upstream.answer = (_, res) => void res.end("yours");
  sockets.removeAllListeners("connection");
});

const codeOf = ({ body }: Answer): string => JSON.parse(body.toString()).code;
const account = privateKeyToAccount(generatePrivateKey());
const wallet = account.address.toLowerCase();

const signInOf = (change: Partial<SignIn> = {}): SignIn => ({
  domain: "shop.test",
  address: account.address,
  uri: `${origin}/mine/7`,
  version: "1",
  chainId: "eip155:8453",
  nonce: randomText().replaceAll(/[^A-Za-z0-9]/g, "0"),
  issuedAt: toRfc3339(world.clock.now()),
  ...change,
});

async function signed(change: Partial<SignIn> = {}, by = account): Promise<{ "SIGN-IN-WITH-X": string }> {
  const signIn = signInOf(change);
  const signature = await by.signMessage({ message: signInText(signIn) });
  return { "SIGN-IN-WITH-X": formatSignIn({ signIn, signature }) };
}

/** An agent's access token with a proof for one request. */
function tokenHeaders(change: { audience?: string; url?: string; scope?: string; nonce?: string } = {}) {
  const key = generateJwk("ES256");
  const id = newId("agent");
  const now = world.clock.now();
  const accessToken = signJws(
    world.issuer.key,
    { typ: "at+jwt" },
    {
      iss: world.issuer.origin,
      sub: id,
      aud: change.audience ?? origin,
      client_id: id,
      jti: randomText(),
      iat: toNumericDate(now),
      exp: toNumericDate(after(now, 5 * minuteMs)),
      scope: change.scope ?? "oid4ac:payment",
      organization_id: newId("tenant"),
      livemode: false,
      cnf: { jkt: thumbprint(key) },
    },
  );
  const prove = (nonce?: string): string =>
    makeDpopProof({
      key,
      method: "GET",
      url: change.url ?? `${origin}/mine/7`,
      accessToken,
      now,
      ...(nonce !== undefined && { nonce }),
    });
  return { id, headers: (nonce?: string) => ({ Authorization: `DPoP ${accessToken}`, DPoP: prove(nonce) }) };
}

describe("an auth route", () => {
  test("says how to sign in, in both ways, and asks nobody else", async () => {
    const answer = await world.ask("/mine/7");
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toMatch(/^DPoP .*, SIWX domain="shop\.test", window="600"$/);
    const { extensions } = JSON.parse(answer.body.toString());
    expect(extensions["sign-in-with-x"].info).toMatchObject({
      domain: "shop.test",
      uri: `${origin}/mine/7`,
      version: "1",
    });
    expect(world.upstream.requests).toEqual([]);
  });

  test("a wallet's signature lets in once, and the upstream hears of the wallet from us alone", async () => {
    const headers = {
      ...(await signed()),
      "X-Verified-Wallet": "0xforged",
      X_Payment_Payer: "forged",
      Authorization: "Basic b3du",
    };
    const answer = await world.ask("/mine/7?x=1", { headers });
    expect([answer.status, answer.body.toString()]).toEqual([200, "yours"]);
    const seen = world.upstream.requests[0]?.headers;
    expect(seen).toMatchObject({ "x-verified-wallet": wallet, authorization: "Basic b3du" });
    for (const name of ["sign-in-with-x", "x_payment_payer"]) expect(seen).not.toHaveProperty(name);
    const again = await world.ask("/mine/7", { headers });
    expect([again.status, codeOf(again)]).toEqual([401, "sign_in_invalid"]);
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("C10 of twenty that come with one signature, one is let in", async () => {
    const headers = await signed();
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.ask("/mine/7", { headers })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test.each<[string, () => Promise<Record<string, string>>]>([
    ["for another host", () => signed({ domain: "evil.test" })],
    ["for another origin", () => signed({ uri: "https://shop.test/mine/7" })],
    ["eleven minutes old", () => signed({ issuedAt: toRfc3339(after(world.clock.now(), -11 * minuteMs)) })],
    ["of another wallet", () => signed({}, privateKeyToAccount(generatePrivateKey()))],
    ["that is none", async () => ({ "SIGN-IN-WITH-X": base64.encode("{}") })],
    ["in a session nobody gave", async () => ({ Authorization: `Bearer siwx_${"A".repeat(75)}` })],
  ])("A03 a signature %s lets nobody in", async (_, make) => {
    const answer = await world.ask("/mine/7", { headers: await make() });
    expect([answer.status, codeOf(answer)]).toEqual([401, "sign_in_invalid"]);
    expect(world.upstream.requests).toEqual([]);
  });

  test("a text signed as Obol's clients do opens the same gate, and one way at a time", async () => {
    const text = signInText(signInOf());
    const signature = await account.signMessage({ message: text });
    const headers = { Authorization: `SIWX ${base64.encode(text)}.${base64.encode(signature)}` };
    const both = await world.ask("/mine/7", { headers: { ...headers, ...(await signed()) } });
    expect([both.status, codeOf(both)]).toEqual([400, "invalid_request"]);
    expect((await world.ask("/mine/7", { headers })).status).toBe(200);
    expect(world.upstream.requests[0]?.headers).not.toHaveProperty("authorization");
  });

  test("a session spares a wallet its signature for a day, at this origin alone", async () => {
    const message = signInText(signInOf());
    const body = JSON.stringify({ message, signature: await account.signMessage({ message }) });
    const opened = await world.ask("/auth/verify", { method: "POST", body });
    expect([opened.status, opened.headers["cache-control"]]).toEqual([200, "no-store"]);
    const session = JSON.parse(opened.body.toString());
    expect(session.wallet).toBe(wallet);
    const headers = { Authorization: `Bearer ${session.token}` };
    expect((await world.ask("/mine/7", { headers })).status).toBe(200);
    expect(world.upstream.requests[0]?.headers).toMatchObject({ "x-verified-wallet": wallet });
    expect(world.upstream.requests[0]?.headers).not.toHaveProperty("authorization");
    const [first] = session.token.slice("siwx_".length);
    const bent = session.token.replace(/^siwx_./, first === "z" ? "siwx_a" : "siwx_z");
    expect((await world.ask("/mine/7", { headers: { Authorization: `Bearer ${bent}` } })).status).toBe(401);
    expect((await world.ask("/auth/verify", { method: "POST", body })).status).toBe(401);
    world.clock.advance(25 * hourMs);
    expect((await world.ask("/mine/7", { headers })).status).toBe(401);
  });

  test("A03 an access token for this origin lets its agent in, with a fresh proof", async () => {
    const { id, headers } = tokenHeaders();
    const asked = await world.ask("/mine/7", { headers: headers() });
    expect([asked.status, codeOf(asked)]).toEqual([401, "use_dpop_nonce"]);
    const nonce = String(asked.headers["dpop-nonce"]);
    const used = headers(nonce);
    expect((await world.ask("/mine/7", { headers: used })).status).toBe(200);
    expect(world.upstream.requests[0]?.headers).toMatchObject({ "x-remit-agent": id });
    for (const name of ["authorization", "dpop"])
      expect(world.upstream.requests[0]?.headers).not.toHaveProperty(name);
    const again = await world.ask("/mine/7", { headers: used });
    expect([again.status, codeOf(again)]).toEqual([401, "invalid_dpop_proof"]);
  });

  test.each([
    ["aud_mismatch", { audience: "http://gateway.test" }],
    ["invalid_dpop_proof", { url: `${origin}/mine/8` }],
    ["insufficient_scope", { scope: "wallet:read" }],
  ])("A03 a token that is wrong is %s", async (code, change) => {
    const { headers } = tokenHeaders(change);
    const first = await world.ask("/mine/7", { headers: headers() });
    const nonce = first.headers["dpop-nonce"];
    const answer =
      nonce === undefined ? first : await world.ask("/mine/7", { headers: headers(String(nonce)) });
    expect(codeOf(answer)).toBe(code);
    expect(world.upstream.requests).toEqual([]);
  });
});

describe("a preflight", () => {
  const ask = (headers: Record<string, string>, body?: string): Promise<Answer> =>
    world.ask("/mine/7", { method: "OPTIONS", headers, ...(body !== undefined && { body }) });

  test("A03 learns what a browser must know of an auth route, and nothing that it guards", async () => {
    let arrived = "";
    world.upstream.answer = (req, res) => {
      req.on("data", (chunk) => {
        arrived += String(chunk);
      });
      req.on("end", () => {
        res.writeHead(200, { "access-control-allow-origin": "https://app.test" });
        res.end("yours");
      });
    };
    const announced = { origin: "https://app.test", "access-control-request-method": "GET" };
    const answer = await ask({ ...announced, "content-length": "10" }, "sent along");
    expect([answer.status, answer.body.toString(), arrived]).toEqual([200, "", ""]);
    expect(answer.headers).toMatchObject({ "access-control-allow-origin": "https://app.test" });
    const { origin: _, ...unannounced } = announced;
    expect((await ask(unannounced)).status).toBe(405);
  });
});

describe("ForwardAuth", () => {
  const verify = (uri: string | undefined, more: Record<string, string> = {}, query = ""): Promise<Answer> =>
    world.ask(`/verify${query}`, {
      headers: {
        host: "gateway.test",
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Host": "shop.test",
        "X-Forwarded-Proto": "http",
        ...(uri !== undefined && { "X-Forwarded-Uri": uri }),
        ...more,
      },
    });

  test("lets pass what is free, what nobody gated, and who has signed in", async () => {
    for (const uri of ["/plain", "/plain?a=b", "/elsewhere", "/demo"])
      expect([uri, (await verify(uri)).status]).toEqual([uri, 200]);
    expect((await verify("/mine/7")).headers["www-authenticate"]).toMatch(/SIWX domain="shop\.test"/);
    const known = await verify("/mine/7", { ...(await signed()), "X-Verified-Wallet": "forged" });
    expect([known.status, known.headers["x-verified-wallet"]]).toEqual([200, wallet]);
    expect((await verify("/plain", { "X-Verified-Wallet": "forged" })).headers).not.toHaveProperty(
      "x-verified-wallet",
    );
  });

  test.each([
    ["no address", undefined],
    ["a spelling of a paid path", "/demo/report/"],
    ["a paid path in capitals", "/DEMO/Report"],
    ["what is below a paid path", "/demo/report/x"],
    ["a paid path of another method", "/demo/query"],
    ["an encoded dot", "/demo/%2e/report"],
    ["a slash too many", "//demo/report"],
    ["a parameter", "/demo/report;a=b"],
    ["an auth path in capitals", "/MINE/7"],
  ])("V12 %s is 403", async (_, uri) => {
    expect((await verify(uri)).status).toBe(403);
  });

  test("V12 a host nobody sells at is 403, and so is a header that is sent twice", async () => {
    expect((await verify("/plain", { "X-Forwarded-Host": "evil.test" })).status).toBe(403);
    const twice = {
      host: "gateway.test",
      "X-Forwarded-Host": "shop.test",
      "X-Forwarded-Uri": ["/plain", "/demo/report"],
    };
    expect((await world.ask("/verify", { headers: twice })).status).toBe(403);
  });

  test("takes no payment, of whatever kind, and says so", async () => {
    const unpaid = await verify("/demo/report");
    expect([unpaid.status, codeOf(unpaid)]).toEqual([402, "payment_required"]);
    const mandate = createAgent(world).pay(await world.ask("/demo/report"));
    for (const headers of [
      mandate,
      { "X-PAYMENT": base64.encode('{"spt":"spt_1"}') },
      { Authorization: "Payment e30" },
      { "Payment-Authorization": "Payment e30" },
    ]) {
      const answer = await verify("/demo/report", headers);
      expect([answer.status, codeOf(answer)]).toEqual([403, "payment_not_taken_here"]);
    }
    expect([world.issuer.calls, await world.claims()]).toEqual([[], []]);
  });

  test("tells nginx, which knows 401 and 403 alone, what it understands", async () => {
    const statuses = ["/demo/report", "/mine/7", "/demo/report/", "/plain"].map(
      async (uri) => (await verify(uri, {}, "?for=nginx")).status,
    );
    expect(await Promise.all(statuses)).toEqual([401, 401, 403, 200]);
  });

  test("at a merchant's host the address is the merchant's", async () => {
    expect((await world.ask("/verify", { headers: { "X-Forwarded-Uri": "/plain" } })).status).toBe(404);
  });
});

describe("WebSockets", () => {
  const dial = (path: string, headers: Record<string, string> = {}): WebSocket =>
    new WebSocket(`${world.address.replace("http", "ws")}${path}`, ["chat"], {
      headers: { host: "shop.test", ...headers },
    });

  const refusalOf = async (socket: WebSocket): Promise<{ status: number | undefined; code: string }> => {
    socket.on("error", () => undefined);
    const [, res] = await once(socket, "unexpected-response");
    let text = "";
    for await (const chunk of res) text += String(chunk);
    return { status: res.statusCode, code: text === "" ? "" : JSON.parse(text).code };
  };

  test("pass on a free route both ways, with their own headers, and end on both sides", async () => {
    const heard = Promise.withResolvers<Record<string, unknown>>();
    sockets.on("connection", (socket, req) => {
      heard.resolve(req.headers);
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    const socket = dial("/live?room=1", { "X-Verified-Wallet": "forged" });
    await once(socket, "open");
    expect(socket.protocol).toBe("chat");
    socket.send("hello");
    expect(String((await once(socket, "message"))[0])).toBe("hello");
    const large = Buffer.alloc(300_000, 7);
    socket.send(large);
    expect((await once(socket, "message"))[0]).toEqual(large);
    expect(await heard.promise).toMatchObject({
      "x-forwarded-host": "shop.test",
      "x-forwarded-for": "127.0.0.1",
    });
    expect(await heard.promise).not.toHaveProperty("x-verified-wallet");
    socket.close(1000, "bye");
    const [code] = await once(socket, "close");
    expect(code).toBe(1000);
    await eventually(() => expect(sockets.clients.size).toBe(0));
  });

  test("G a side that breaks off takes the other with it", async () => {
    const met = Promise.withResolvers<WebSocket>();
    sockets.on("connection", (socket) => met.resolve(socket));
    const first = dial("/live");
    await once(first, "open");
    first.terminate();
    await once(await met.promise, "close");
    sockets.removeAllListeners("connection");
    sockets.on("connection", (socket) => socket.terminate());
    const second = dial("/live");
    second.on("error", () => undefined);
    await once(second, "close");
  });

  test("an auth route wants its sign-in first, and a paid one opens none", async () => {
    const heard = Promise.withResolvers<unknown>();
    sockets.on("connection", (_, req) => heard.resolve(req.headers["x-verified-wallet"]));
    expect(await refusalOf(dial("/members"))).toMatchObject({ status: 401 });
    const socket = dial("/members", await signed());
    if (socket.readyState !== WebSocket.OPEN) await once(socket, "open");
    expect(await heard.promise).toBe(wallet);
    socket.close();
    await once(socket, "close");
    expect(await refusalOf(dial("/demo/report"))).toEqual({ status: 400, code: "upgrade_not_offered" });
    expect(await refusalOf(dial("/nowhere"))).toEqual({ status: 404, code: "route_not_offered" });
  });

  test("an upstream that declines is heard, and h2c is declined by not being taken up", async () => {
    world.upstream.answer = (_, res) => {
      res.statusCode = 426;
      res.end();
    };
    expect(await refusalOf(dial("/plain"))).toMatchObject({ status: 426 });
    world.upstream.answer = (_, res) => void res.end("yours");
    const { port, hostname } = new URL(world.address);
    const socket = connect(Number(port), hostname);
    let got = "";
    socket.on("data", (chunk) => {
      got += chunk.toString();
    });
    socket.write(
      "GET /plain HTTP/1.1\r\nHost: shop.test\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n",
    );
    await once(socket, "close");
    expect(got).toMatch(/^HTTP\/1\.1 200 OK[^]*yours/);
    expect(world.upstream.requests.at(-1)?.headers).not.toHaveProperty("http2-settings");
  });
});
