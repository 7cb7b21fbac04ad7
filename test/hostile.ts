/** An address of a service, as its own API document names it. */
export type Endpoint = {
  readonly method: string;
  readonly origin: string;
  /** With `{id}` and the like filled in by ids that nobody has. */
  readonly path: string;
  readonly body: "json" | "form" | "bytes" | "none";
  readonly schema: Json | undefined;
  readonly query: readonly string[];
  readonly scopes: readonly string[];
  readonly idempotent: boolean;
  readonly page: boolean;
};

type Json = { readonly [name: string]: unknown };

const nobodys = "00000000000000000000000000";

/** Every route, page and OAuth address of a service; what it does not name itself it does not have. */
export async function endpointsOf(origin: string): Promise<Endpoint[]> {
  const document = (await (await fetch(`${origin}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
    readonly "x-pages": readonly string[];
  };
  const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => routeOf(origin, { path, method, operation })),
  );
  const pages = document["x-pages"].map((entry): Endpoint => {
    const [method = "GET", path = "/"] = entry.split(" ");
    const body = method === "POST" ? "form" : "none";
    const common = {
      origin,
      schema: undefined,
      query: [],
      scopes: [],
      idempotent: false,
      page: true,
    } as const;
    return { ...common, method, path: filled(path), body };
  });
  return [...routes, ...pages, ...(await oauthEndpointsOf(origin))];
}

function routeOf(
  origin: string,
  { path, method, operation }: { path: string; method: string; operation: Json },
): Endpoint {
  const {
    security = [],
    parameters = [],
    requestBody,
  } = operation as {
    readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
    readonly parameters?: readonly { readonly name: string; readonly in: string }[];
    readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Json }>> };
  };
  const content = requestBody?.content ?? {};
  const json = content["application/json"];
  return {
    method: method.toUpperCase(),
    origin,
    path: filled(path),
    body: json !== undefined ? "json" : requestBody === undefined ? "none" : "bytes",
    schema: json?.schema,
    query: parameters.filter((one) => one.in === "query").map((one) => one.name),
    scopes: security.flatMap((way) => Object.values(way).flat()),
    idempotent: parameters.some((one) => one.name === "Idempotency-Key"),
    page: false,
  };
}

const prefixes: Readonly<Record<string, string>> = {
  agents: "agt",
  charges: "chg",
  mandates: "mnd",
  merchants: "mrc",
  payments: "pay",
  receipts: "rcp",
};

/** The path with an id of the right kind, so that the request comes as far as its input. */
const filled = (path: string): string =>
  path
    .replace(/([\w-]+)\/\{\w+\}/g, (_, noun: string) => `${noun}/${prefixes[noun] ?? "x"}_${nobodys}`)
    .replace(/\{\w+\}/g, nobodys);

/** What the OAuth core serves stands in the metadata; each takes forms by POST, and some answer to GET. */
async function oauthEndpointsOf(origin: string): Promise<Endpoint[]> {
  const answer = await fetch(`${origin}/.well-known/oauth-authorization-server`);
  if (!answer.ok) return [];
  const metadata = (await answer.json()) as Readonly<Record<string, unknown>>;
  const addresses = Object.entries(metadata).flatMap(([name, value]) =>
    name.endsWith("_endpoint") && typeof value === "string" && !name.startsWith("registration")
      ? [value]
      : [],
  );
  const common = { origin, schema: undefined, query: [], scopes: [], idempotent: false } as const;
  return addresses.flatMap((address): Endpoint[] => {
    const path = new URL(address).pathname;
    return [
      { ...common, method: "POST", path, body: "form", page: path.endsWith("authorize") },
      { ...common, method: "GET", path, body: "none", page: true },
    ];
  });
}

/** Texts that mean something to some interpreter, and to us nothing. */
export const hostileTexts = [
  "'; drop table agents; --",
  '" or ""="',
  "${7*7}{{7*7}}<%= 7*7 %>",
  "*)(uid=*))(|(uid=*",
  '{"$gt":""}',
  "<script>alert(1)</script>",
  "../../../../etc/passwd",
  "__proto__",
  "constructor",
  "\u202e\u0000\u0007\uffff",
  "a".repeat(20_000),
] as const;

/** A body of the schema's shape with the text wherever the schema takes one. */
export function bodyWith(schema: Json | undefined, text: string): unknown {
  const { type, properties, items, anyOf, enum: values } = schema ?? {};
  if (Array.isArray(anyOf)) return bodyWith(anyOf[0] as Json, text);
  if (Array.isArray(values)) return text;
  if (type === "object")
    return Object.fromEntries(
      Object.entries(Object(properties)).map(([name, of]) => [name, bodyWith(of as Json, text)]),
    );
  if (type === "array") return [bodyWith(items as Json, text), bodyWith(items as Json, text)];
  return text;
}

const deep = 10_000;

/** JSON that readers take in different ways, or not at all (V04). */
export const brokenJson: readonly (readonly [string, string | Uint8Array])[] = [
  ["half an object", '{"a":'],
  ["deep nesting", `${'{"a":'.repeat(deep)}1${"}".repeat(deep)}`],
  ["deep lists", `${"[".repeat(deep)}${"]".repeat(deep)}`],
  ["a member twice", '{"a":1,"a":2}'],
  ["a byte order mark", "\ufeff{}"],
  ["a lone surrogate", '{"a":"\\ud800"}'],
  ["a NUL", "{\0}"],
  ["bytes that are no UTF-8", Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d)],
  ["a number that is no JSON", '{"a":NaN}'],
  ["another language", "<xml/>"],
];

/** Forms that readers take in different ways, or not at all (V04, V05). */
export const brokenForms: readonly (readonly [string, string | Uint8Array])[] = [
  ["a field twice", "grant_type=a&grant_type=b&client_id=a&client_id=b&csrf=a&csrf=b"],
  ["bytes that are no UTF-8", Uint8Array.of(0x61, 0x3d, 0xff, 0xfe)],
  ["percent signs of nothing", "grant_type=%zz%&client_id=%e0%a4%a"],
  ["a NUL", "grant_type=a%00b&client_id=a%00b"],
  ["__proto__", "__proto__[a]=b&constructor[prototype][a]=b&__proto__=c"],
];
