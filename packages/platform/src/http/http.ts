import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { invariant, systemClock } from "@remit/kernel";
import { Problem, toProblemJson } from "@remit/protocol";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { z } from "zod";
import { createCounters } from "../counters/index.ts";
import { StartRefused, watchPressure } from "../host/index.ts";
import { callerAddress } from "./caller-address.ts";
import { prepareDrain } from "./drain.ts";
import { type Edge, measure, openCall, type Timed } from "./edge.ts";
import { healthPaths, healthRoutes } from "./health.ts";
import { serveInternal } from "./internal.ts";
import { openApiOf } from "./openapi.ts";
import type { ApiDocument, HttpOptions } from "./options.ts";
import { problemPages } from "./problem-pages.ts";
import { protectedResourceRoutes } from "./protected-resource.ts";
import { referencePage } from "./reference-page.ts";
import { leavesMuchUnread, logRefusal, problemOf } from "./refusals.ts";
import { criticalityIn, type Mount, type Page, type Route, route } from "./route.ts";
import { securityHeadersOf } from "./security-headers.ts";
import { serveDirectly, serveMount } from "./serve-mount.ts";
import { pageCallOf, servePage } from "./serve-page.ts";
import { serveRoute } from "./serve-route.ts";
import { wantsWebSocket } from "./serve-upgrade.ts";
import { shed } from "./shed.ts";

export type Http = {
  add(...routes: readonly (Route | Page)[]): void;
  mount(mount: Mount): void;
  /** The declared routes that need a token, added so far. */
  protectedRoutes(): readonly Route[];
  /** The OpenAPI 3.1 document of the routes added so far. */
  openApi(): Readonly<Record<string, unknown>>;
  /** Binds, and returns where (`http://127.0.0.1:43211`). A busy port is a StartRefused with its remedy. */
  listen(): Promise<string>;
  /** Turns unready, finishes what is in flight (at most 25 s), closes. */
  close(): Promise<void>;
};

const bodyBytesMax = 64 * 1024;
// A presentation, its access token and the offer travel in headers.
const headerBytesMax = 48 * 1024;
const patient = { headMs: 15_000, requestMs: 30_000, idleMs: 120_000, connectionsMax: 10_000 };

/** An HTTP server for declared routes, pages and mounts. Nothing is bound before `listen`. */
export function createHttp(options: HttpOptions): Http {
  const state = { draining: false };
  const edge = edgeOf(options, () => state.draining);
  const declared: (Route | Page)[] = healthRoutes(options, edge.isDraining);
  const mounts: Mount[] = [];
  const openApi = () =>
    openApiOf(
      { service: options.service, version: options.version ?? "0", origin: options.origin },
      { declared, described: mounts.flatMap(({ describes = [] }) => describes) },
    );
  const document = onceMade(openApi);
  declared.push(openApiRoute(document, options.documentAt), referencePage(document), ...problemPages());
  declared.push(...protectedResourceRoutes(options, () => declared));
  const app = openFastify(edge);
  const direct = serveDirectly(edge, app.server, () => pathsOf(declared, mounts));
  const drain = prepareDrain(app, options.clock);
  let metricsServer: Server | undefined;
  return {
    add(...routes) {
      for (const entry of routes)
        if (entry.kind === "route" && entry.needs !== "public")
          invariant(
            options.authenticate !== undefined,
            `${entry.path} is protected, so the server authenticates`,
          );
      declared.push(...routes);
    },
    mount: (mount) => {
      mounts.push(mount);
      direct(mount);
    },
    protectedRoutes: () =>
      declared.filter((entry): entry is Route => entry.kind === "route" && entry.needs !== "public"),
    openApi,
    async listen() {
      register(app, edge, { declared, mounts });
      const origin = await bind(options, () => app.listen({ host: options.host, port: options.port }));
      metricsServer = await bindInternal(options, edge.isDraining);
      options.log.info({ origin: options.origin, bound: origin }, "listening");
      return origin;
    },
    async close() {
      state.draining = true;
      await drain();
      edge.pressure.stop();
      await edge.counters.close();
      metricsServer?.closeAllConnections();
      await new Promise<void>((resolve) =>
        metricsServer ? metricsServer.close(() => resolve()) : resolve(),
      );
    },
  };
}

const edgeOf = (options: HttpOptions, isDraining: () => boolean): Edge => ({
  options,
  counters:
    options.counters ?? createCounters({ prefix: options.service, clock: options.clock, log: options.log }),
  addressOf: callerAddress(options.trustedProxies ?? []),
  headers: securityHeadersOf(options.origin),
  bodyBytesMax: options.bodyBytesMax ?? bodyBytesMax,
  isDraining,
  pressure: options.pressure ?? watchPressure({ clock: systemClock }),
});

const openApiRoute = (openApi: () => ApiDocument, documentAt: HttpOptions["documentAt"]): Route =>
  route({
    method: "GET",
    path: "/openapi.json",
    summary: "This document.",
    needs: "public",
    answers: { 200: z.record(z.string(), z.unknown()) },
    handle: (call) => {
      const others = documentAt?.(call.header("host") ?? "", openApi());
      const headers = { "Cache-Control": others === undefined ? "public, max-age=300" : "no-cache" };
      return { status: 200, body: others ?? openApi(), headers };
    },
  });

const pathsOf = (declared: readonly (Route | Page)[], mounts: readonly Mount[]): readonly string[] => [
  ...declared.map(({ path }) => path),
  ...mounts.flatMap(({ paths = [], prefixes = [] }) => [...paths, ...prefixes]),
];

/** The document does not change once the server listens: it is made when it is first asked for. */
function onceMade<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

function openFastify(edge: Edge): FastifyInstance {
  const { headMs, requestMs, idleMs, connectionsMax } = { ...patient, ...edge.options.patience };
  const app: FastifyInstance = Fastify({
    logger: false,
    trustProxy: false,
    requestIdHeader: false,
    return503OnClosing: false,
    requestTimeout: requestMs,
    connectionTimeout: idleMs,
    routerOptions: { maxParamLength: 512 },
    http: {
      maxHeaderSize: edge.options.headerBytesMax ?? headerBytesMax,
      headersTimeout: headMs,
      // Where nobody takes WebSockets, or something else is offered, it is a request like any other.
      shouldUpgradeCallback: (req) => app.server.listenerCount("upgrade") > 0 && wantsWebSocket(req),
      // Node looks for those who are late only every 30 s unless told.
      connectionsCheckingInterval: Math.min(2_000, headMs),
    },
    frameworkErrors: (error, request, reply) => void sendProblem(edge, { error, request, reply }),
    clientErrorHandler: (error, socket) => {
      const [status, text] = statusOfClientError(error.code);
      if (socket.writable)
        socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      else socket.destroy();
    },
  });
  app.server.maxConnections = connectionsMax;
  app.server.on("checkContinue", (req: IncomingMessage, res: ServerResponse) => {
    inviteWhenRead(req, res);
    app.server.emit("request", req, res);
  });
  // Fastify reads no body: declared routes read their own with our limits, mounts get the stream untouched.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  for (const own of ["remitCall", "remitFollowed", "remitProblem"]) app.decorateRequest(own, undefined);
  app.addHook("onRequest", async (request, reply) => {
    const call = openCall(edge, request.raw, reply.raw);
    request.remitCall = call;
    reply.header("X-Request-Id", call.requestId);
    if (edge.isDraining()) reply.header("Connection", "close");
    const report = (answered: Timed): void =>
      request.remitFollowed?.answered({ ...answered, problem: request.remitProblem });
    measure(edge, { call, res: reply.raw, report }, () => request.routeOptions.url ?? "unmatched");
    const criticality = request.routeOptions.config.criticalityOf?.(request.raw) ?? "sheddable";
    if (criticality !== "never_shed") shed(edge, reply.raw, criticality);
    if (!request.raw.url?.startsWith("/"))
      throw new Problem("invalid_request", { detail: "The target is no path." });
    // No text of ours has a NUL, and PostgreSQL stores none: it would fail there instead of here.
    if (request.raw.url.includes("%00"))
      throw new Problem("invalid_request", { detail: "The target has a NUL." });
  });
  app.setErrorHandler((error, request, reply) => sendProblem(edge, { error, request, reply }));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(edge, { error: new Problem("not_found"), request, reply }),
  );
  return app;
}

/**
 * RFC 9110 §10.1.1: a client that expects `100 Continue` is invited to send its body once somebody begins to read it, so
 * that what is refused by its head alone is never sent. One that was not invited may send it or not: the connection ends.
 */
function inviteWhenRead(req: IncomingMessage, res: ServerResponse): void {
  res.setHeader("Connection", "close");
  const invite = (event: string): void => {
    if (event !== "data" && event !== "readable") return;
    req.off("newListener", invite);
    if (res.headersSent) return;
    res.removeHeader("Connection");
    res.writeContinue();
  };
  req.on("newListener", invite);
}

function statusOfClientError(code: string | undefined): readonly [string, string] {
  if (code === "HPE_HEADER_OVERFLOW") return ["431", "Request Header Fields Too Large"];
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? ["408", "Request Timeout"] : ["400", "Bad Request"];
}

function sendProblem(
  edge: Edge,
  { error, request, reply }: { error: unknown; request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  const problem = problemOf(error);
  const call = request.remitCall ?? openCall(edge, request.raw, reply.raw);
  logRefusal(call.log, problem);
  request.remitProblem = problem.code;
  if (leavesMuchUnread(edge, request.raw)) reply.header("Connection", "close");
  reply.headers({ ...edge.headers.api, ...problem.headers, "X-Request-Id": call.requestId });
  reply.code(problem.status).header("content-type", "application/problem+json");
  // As bytes: to text Fastify would add a charset, which JSON types do not have (RFC 8259 §11).
  return reply.send(Buffer.from(JSON.stringify(toProblemJson(problem, call.requestId, edge.options.origin))));
}

function register(
  app: FastifyInstance,
  edge: Edge,
  { declared, mounts }: { declared: readonly (Route | Page)[]; mounts: readonly Mount[] },
): void {
  const methods = new Map<string, string[]>();
  for (const entry of declared) {
    const handler = entry.kind === "route" ? serveRoute(edge, entry) : servePage(edge, entry);
    // Whoever looks after us must hear that we live; whether we are ready is for our own checks to say.
    const criticality = healthPaths.has(entry.path) ? "never_shed" : entry.criticality;
    const config = { criticalityOf: () => criticality };
    app.route({ method: entry.method, url: entry.path, handler, config });
    methods.set(entry.path, [...(methods.get(entry.path) ?? []), entry.method]);
  }
  for (const mount of mounts) {
    const everything = mount.paths === undefined && mount.prefixes === undefined;
    const below = (mount.prefixes ?? []).flatMap((prefix) => [prefix, `${prefix}/*`]);
    const serve = serveMount(edge, mount);
    const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      reply.hijack();
      for (const [header, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) reply.raw.setHeader(header, value);
      await serve(pageCallOf(request, reply));
    };
    const config = { criticalityOf: (request: IncomingMessage) => criticalityIn(mount, request) };
    for (const url of everything ? ["/*"] : [...(mount.paths ?? []), ...below])
      app.all(url, { config }, handler);
  }
  for (const [url, known] of methods) refuseOtherMethods(app, url, known);
}

function refuseOtherMethods(app: FastifyInstance, url: string, known: readonly string[]): void {
  const method = app.supportedMethods.filter((other) => !app.hasRoute({ method: other, url }));
  if (method.length === 0) return;
  const headers = { Allow: known.join(", ") };
  app.route({ method, url, handler: () => Promise.reject(new Problem("method_not_allowed", { headers })) });
}

/** Binds, or says in words why not. */
async function bind(options: HttpOptions, listen: () => Promise<string>): Promise<string> {
  try {
    return await listen();
  } catch (cause) {
    throw busyPort(options.service, options.port, cause);
  }
}

const busyPort = (service: string, port: number, cause: unknown): StartRefused =>
  new StartRefused(
    `${service} cannot listen on port ${port}: ${cause instanceof Error ? cause.message : String(cause)}`,
    "Stop the program that uses the port, or choose another one (REMIT_PORT, or --port-base with npm start).",
    { cause },
  );

/** The internal port, where one was asked for. */
async function bindInternal(options: HttpOptions, isDraining: () => boolean): Promise<Server | undefined> {
  const { metricsPort: port, service } = options;
  if (port === undefined) return undefined;
  return serveInternal(options, { port, isDraining }).catch((cause: unknown) => {
    throw busyPort(`${service}'s metrics`, port, cause);
  });
}
