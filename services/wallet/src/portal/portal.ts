import path from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { type PageCall, readBody, setAside } from "@remit/platform/http";
import type { Log } from "@remit/platform/telemetry";
import type { Api, OrganizationApi } from "../api/index.ts";
import type { PersonNotices } from "../notices/index.ts";
import type { Person } from "../sessions/index.ts";
import type { PersonViews } from "../views/index.ts";
import { type Asset, createAssets } from "./assets.ts";
import { builtPortal } from "./build.ts";
import { send } from "./send.ts";

/** What the application knows of a request: SvelteKit hands it to hooks, loads and actions as `event.platform`. */
export type Platform = {
  readonly requestId: string;
  /** Absent when nobody is signed in. */
  readonly signedIn?: {
    readonly person: Person;
    readonly api: Api;
    readonly actFor: (organization: string) => OrganizationApi;
    /** What happens from now on, as server-sent events. */
    readonly news: () => ReadableStream<Uint8Array>;
    /** What the person is told of while no page is open. */
    readonly notices: PersonNotices;
    /** Filters of long lists that the person gave a name. */
    readonly views: PersonViews;
  };
  readonly issuer: string;
  readonly nowMs: number;
  /** Writes down what nobody expected. */
  readonly report: (error: unknown) => void;
  /** The document of the issuer's evidence keys; undefined when it cannot be had now. */
  readonly evidenceKeys: () => Promise<Uint8Array<ArrayBuffer> | undefined>;
};

/** The built application. */
export type Portal = {
  /** A built file, if that is what is asked for. */
  asset(call: PageCall): Promise<boolean>;
  page(call: PageCall, platform: Platform): Promise<void>;
};

type Built = {
  readonly dir: string;
  readonly assets: { readonly entries: readonly (readonly [string, Asset])[] };
  readonly server: {
    init(options: { env: Record<string, string>; read: (file: string) => ReadableStream }): Promise<void>;
    respond(
      request: Request,
      options: { platform: Platform; getClientAddress: () => string },
    ): Promise<Response>;
  };
};

const formBytesMax = 64 * 1024;

/** The application, built and opened by whoever asks first. What failed is tried again. */
export function portalOnce(log: Log): () => Promise<Portal> {
  let opening: Promise<Portal> | undefined;
  return () =>
    (opening ??= builtPortal(log)
      .then(openPortal)
      .catch((error: unknown) => {
        opening = undefined;
        throw error;
      }));
}

async function openPortal(folder: string): Promise<Portal> {
  // Made by adapter-node, whose own handler would take the origin of a request from its headers.
  const { server, assets, dir } = (await import(
    pathToFileURL(path.join(folder, "adapter-node.js")).href
  )) as Built;
  const client = path.join(dir, "client");
  await server.init({ env: {}, read: () => new ReadableStream() });
  const serve = createAssets(client, new Map(assets.entries));
  return {
    asset: ({ raw }) => serve(raw.req, raw.res),
    page: async (call, platform) => {
      const response = await server.respond(await requestOf(call), {
        platform,
        getClientAddress: () => call.ip,
      });
      await answer(call, response);
    },
  };
}

async function requestOf({ raw: { req }, url, method }: PageCall): Promise<Request> {
  const headers = Object.entries(req.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  const bodied = method !== "GET" && method !== "HEAD";
  const body = bodied ? await readBody(req, formBytesMax) : undefined;
  return new Request(url, { method, headers, ...(body === undefined ? {} : { body: new Uint8Array(body) }) });
}

async function answer({ raw: { req, res } }: PageCall, response: Response): Promise<void> {
  for (const [name, value] of response.headers) if (name !== "set-cookie") res.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("set-cookie", cookies);
  res.writeHead(response.status);
  // A page that is open all day has one.
  if (response.headers.get("content-type")?.startsWith("text/event-stream") === true) setAside(res);
  if (response.body === null || req.method === "HEAD") return void res.end();
  if (res.destroyed) return response.body.cancel();
  // Whose length is known is made already: going through a stream would only take longer.
  if (response.headers.has("content-length"))
    return void res.end(new Uint8Array(await response.arrayBuffer()));
  // The web's stream and node's are one and the same under two names.
  await send(Readable.fromWeb(response.body as never), res);
}
