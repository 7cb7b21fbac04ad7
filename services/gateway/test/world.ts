import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, type Id, minuteMs, newId, systemClock, toNumericDate } from "@remit/kernel";
import { createLog } from "@remit/platform/telemetry";
import {
  type Challenge,
  encodeHeader,
  formatCredential,
  mandatePayload,
  mandateTermsOf,
  type PaymentRequirement,
  type PrivateJwk,
  parseChallenges,
  parsePaymentRequired,
  peekOffer,
  publicJwkOf,
} from "@remit/protocol";
import {
  generateJwk,
  issueMandate,
  makePresentation,
  offerDigest,
  randomText,
  sha256,
  signJws,
  thumbprint,
} from "@remit/protocol/node";
import { type TestClock, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import type { Engines } from "../src/charging/index.ts";
import { createGateway, type GatewayConfig, migrations, type Service } from "../src/index.ts";
import { type FakeIssuer, startIssuer } from "./issuer.ts";

export type Answer = {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
};

export type Upstream = {
  readonly origin: string;
  readonly requests: IncomingMessage[];
  answer: (req: IncomingMessage, res: ServerResponse) => void;
  close(): Promise<void>;
};

export async function startUpstream(): Promise<Upstream> {
  const server = createServer((req, res) => {
    upstream.requests.push(req);
    upstream.answer(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const upstream: Upstream = {
    // A server that listens on a port has an address of this shape.
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    answer: (_, res) => void res.end("the report"),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return upstream;
}

export const origin = "http://shop.test";
export const merchantId = newId("merchant");
export const clientId = newId("client");

export type World = {
  readonly clock: TestClock;
  readonly issuer: FakeIssuer;
  readonly upstream: Upstream;
  readonly database: TestDatabase;
  readonly tenant: Id<"tenant">;
  readonly offersFile: string;
  readonly dataDir: string;
  readonly gateway: Service;
  /** Where it listens. */
  readonly address: string;
  readonly offerKey: PrivateJwk;
  ask(target: string, more?: Ask): Promise<Answer>;
  /** Everything in the database and everything sent, counted. */
  claims(): Promise<ClaimRow[]>;
  /** Ends this run as a crash would, as far as the database can tell, and starts another one. */
  restart(): Promise<void>;
  /** Starts another gateway over the same database, beside this one; where it listens. */
  replica(): Promise<string>;
  writeOffers(change?: {
    amountMinor?: number;
    serveByS?: number;
    route?: object;
    more?: object[];
    servers?: object[];
  }): Promise<void>;
  close(): Promise<void>;
};

type ClaimRow = {
  readonly id: string;
  readonly state: string;
  readonly generation: number;
  readonly charge_id: string | null;
  readonly receipt: string | null;
  readonly sealed_order: unknown;
};

export type Ask = {
  readonly method?: "GET" | "POST" | "HEAD" | "PUT" | "DELETE" | "OPTIONS";
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
  readonly signal?: AbortSignal;
};

/** Sends the target as it is written: a client that tidies paths up would hide what is tested. */
export async function send(address: string, target: string, more: Ask): Promise<Answer> {
  const { hostname, port } = new URL(address);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const req = request({
    hostname,
    port,
    path: target,
    method: more.method ?? "GET",
    headers: { host: "shop.test", ...more.headers },
    ...(more.signal !== undefined && { signal: more.signal }),
  });
  req.on("response", resolve).on("error", reject).end(more.body);
  const res = await promise;
  const chunks: Buffer[] = [];
  for await (const chunk of res) chunks.push(chunk as Buffer); // no encoding is set, so chunks are buffers
  return { status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) };
}

export type WorldOptions = {
  readonly realTime?: true;
  readonly more?: Partial<GatewayConfig>;
  /** How the merchant is paid without a mandate, as the offers file has it. */
  readonly payments?: object;
  readonly ways?: readonly object[];
  readonly engines?: Engines;
};

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const [issuer, upstream] = await Promise.all([startIssuer(), startUpstream()]);
  const database = await testDatabase({ service: "gateway", sources: migrations });
  const clock = options.realTime === true ? realClock() : testClock();
  const dataDir = await mkdtemp(path.join(tmpdir(), "remit-gateway-"));
  const offersFile = path.join(dataDir, "offers.json");
  const tenant = newId("tenant");
  const offerKey = generateJwk("ES256");
  const keys = { assertion: generateJwk("ES256"), dpop: generateJwk("ES256"), offer: offerKey };
  const writeOffers: World["writeOffers"] = async (change = {}) => {
    const route = (id: string, method: string, pathOf: string): object => ({
      id,
      merchant: merchantId,
      method,
      path: pathOf,
      upstream: upstream.origin,
      amount_minor: change.amountMinor ?? 1000,
      currency: "USD",
      name: "The <b>report</b>",
      sku: "report-1",
      serve_by_s: change.serveByS ?? 30,
      ...(options.ways !== undefined && { ways: options.ways }),
      ...change.route,
    });
    const merchants = [
      {
        id: merchantId,
        tenant,
        origin,
        client_id: clientId,
        keys,
        ...(options.payments !== undefined && { payments: options.payments }),
      },
    ];
    const routes = [
      route("report", "GET", "/demo/report"),
      route("sibling", "GET", "/demo/other"),
      route("query", "POST", "/demo/query"),
      route("files", "GET", "/files/*"),
      ...(change.more ?? []),
    ];
    await writeFile(offersFile, JSON.stringify({ merchants, servers: change.servers, routes }));
  };
  await writeOffers();
  const start = async (ownDir = dataDir): Promise<{ gateway: Service; address: string }> => {
    const gateway = createGateway({
      config: {
        origin: "http://gateway.test",
        issuer: issuer.origin,
        host: "127.0.0.1",
        port: 0,
        databaseUrl: database.url,
        schema: database.schema,
        roles: database.roles,
        dataDir: ownDir,
        outboundAllow: [new URL(issuer.origin).host],
        livemode: false,
        offersFile,
        patienceMs: 600,
        offerUpstreams: [new URL(upstream.origin).host],
        ...options.more,
      },
      clock,
      log: createLog({ service: "gateway", level: "silent" }),
      ...(options.engines !== undefined && { engines: options.engines }),
    });
    return { gateway, address: await gateway.listen() };
  };
  let running = await start();
  const replicas: Service[] = [];
  const ownDirs = [dataDir];
  return {
    clock,
    issuer,
    upstream,
    database,
    tenant,
    offersFile,
    dataDir,
    offerKey,
    get gateway() {
      return running.gateway;
    },
    get address() {
      return running.address;
    },
    ask: (target, more = {}) => send(running.address, target, more),
    claims: () => database.asAdmin(`select * from ${database.schema}.claims order by created_at, id`),
    restart: async () => {
      await running.gateway.close();
      running = await start();
    },
    replica: async () => {
      // Replicas share the key-encryption key, and each has a name of its own.
      const ownDir = await mkdtemp(path.join(tmpdir(), "remit-gateway-"));
      await cp(dataDir, ownDir, { recursive: true, filter: (from) => path.basename(from) !== "worker" });
      ownDirs.push(ownDir);
      const beside = await start(ownDir);
      replicas.push(beside.gateway);
      return beside.address;
    },
    writeOffers,
    close: async () => {
      await Promise.all([running.gateway, ...replicas].map((gateway) => gateway.close()));
      await Promise.all([issuer.close(), upstream.close()]);
      await database.drop();
      await Promise.all(ownDirs.map((dir) => rm(dir, { recursive: true })));
    },
  };
}

/** For a gateway that is a process of its own, or has a chain beside it: its time is everybody's, or some seconds ahead. */
function realClock(): TestClock {
  let aheadMs = 0;
  return {
    ...systemClock,
    now: () => after(systemClock.now(), aheadMs),
    advance: (ms) => void (aheadMs += ms),
    set: () => undefined,
    jump: () => undefined,
  };
}

/** An agent with a mandate and a token for the shop. */
export type Agent = {
  readonly key: PrivateJwk;
  readonly id: string;
  readonly mandateId: Id<"mandate">;
  /** The headers that pay a 402, in x402 v2. */
  pay(unpaid: Answer): Record<string, string>;
  /** The same as MPP says it. */
  payChallenge(unpaid: Answer): { challenge: Challenge; headers: Record<string, string> };
  /** Presentation and token for an entry of a 402, to be bent out of shape. */
  present(
    entry: PaymentRequirement,
    bend?: { audience?: string; key?: PrivateJwk; issuer?: string },
  ): { presentation: string; accessToken: string };
};

export function createAgent(world: World): Agent {
  const { issuer, clock } = world;
  const key = generateJwk("ES256");
  const id = newId("agent");
  const mandateId = newId("mandate");
  const now = clock.now();
  const mandate = issueMandate(
    {
      id: mandateId,
      issuer: issuer.origin,
      subject: "pairwise-1",
      holder: publicJwkOf(key),
      details: {
        type: "oid4ac_mandate",
        oid4ac_version: "1.0",
        currency: "USD",
        amount_minor: 100_000,
        uses: "multiple",
      },
      issuedAt: now,
      validFrom: now,
      validUntil: after(now, 60 * 24 * minuteMs),
      livemode: false,
      status: { uri: `${issuer.origin}/oauth/status-list/1`, idx: 7 },
      statusList2021: { revocation: `${issuer.origin}/r`, suspension: `${issuer.origin}/s` },
    },
    issuer.key,
  );
  const tokenFor = (audience: string): string =>
    signJws(
      issuer.key,
      { typ: "at+jwt" },
      {
        iss: issuer.origin,
        sub: id,
        aud: audience,
        client_id: id,
        jti: randomText(),
        iat: toNumericDate(clock.now()),
        exp: toNumericDate(after(clock.now(), 5 * minuteMs)),
        scope: "oid4ac:payment",
        organization_id: newId("tenant"),
        livemode: false,
        cnf: { jkt: thumbprint(key) },
      },
    );
  const present: Agent["present"] = (entry, bend = {}) => {
    const terms = mandateTermsOf(sha256, entry);
    const audience = bend.audience ?? origin;
    const accessToken = tokenFor(audience);
    const presentation = makePresentation({
      mandate,
      disclose: "all",
      accessToken,
      offerDigest: offerDigest(peekOffer(terms.offer)),
      merchantNonce: terms.merchantNonce,
      audience,
      key: bend.key ?? key,
      now: clock.now(),
    });
    return { presentation, accessToken };
  };
  return {
    key,
    id,
    mandateId,
    present,
    pay: (unpaid) => {
      const entry = entryOf(unpaid);
      return signature(entry, present(entry), String(entry.resource));
    },
    payChallenge: (unpaid) => {
      const challenge = parseChallenges([unpaid.headers["www-authenticate"] ?? ""].flat())[0];
      if (challenge === undefined) throw new Error("no challenge");
      const payload = mandatePayload(present(entryOf(unpaid)));
      const header = challenge.header ?? "Authorization";
      return { challenge, headers: { [header]: formatCredential({ challenge, payload }) } };
    },
  };
}

/** The one entry of a 402. */
export function entryOf(unpaid: Answer): PaymentRequirement {
  const entry = parsePaymentRequired(String(unpaid.headers["payment-required"])).accepts[0];
  if (entry === undefined) throw new Error("no entry");
  return entry;
}

/** The offer of a 402's entry, as it was signed. */
export function offerOf(entry: PaymentRequirement): string {
  const offer = entry.extra["offer"];
  if (typeof offer !== "string") throw new Error("no offer");
  return offer;
}

export const signature = (
  accepted: PaymentRequirement,
  paid: { presentation: string; accessToken: string },
  url: string,
): Record<string, string> => ({
  "PAYMENT-SIGNATURE": encodeHeader({
    x402Version: 2,
    resource: { url },
    accepted,
    payload: mandatePayload(paid),
  }),
});
