import { request as httpRequest } from "node:http";
import { clientAssertionType, type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { signJws } from "@remit/protocol/node";
import * as fc from "fast-check";
import type { ClientKeys } from "./running.ts";
import { assertions, newJti, nowS, proofs, stranger } from "./token-tweaks.ts";

/** Who may send a request; a recipe names one of them. */
export type Cast = {
  readonly issuer: string;
  readonly directory: string;
  readonly agents: readonly { readonly id: string; readonly keys: ClientKeys }[];
  readonly admin: { readonly id: string; readonly secret: string };
  readonly nonce: string;
};

/** One request in words: everything about it but what must be new each time. */
export type Recipe = {
  readonly who: number;
  readonly way: "assertion" | "basic" | "post" | "none" | "two ways";
  readonly assertion: string;
  readonly proof: string;
  readonly scope: string;
  readonly resource: string;
  readonly form: string;
  readonly head: string;
};

const scopes = [
  "",
  "oid4ac:payment",
  "payment.charge",
  "agents:read",
  "agents:read agents:write",
  "agents:read agents:read",
  "oid4ac:payment charges:write",
  "openid",
  "nobody:knows",
  "oid4ac:payment nobody:knows",
  "a  b",
  'quote"',
  "charges:write",
  "EMPTY",
];
const resources = [
  "",
  "ISSUER",
  "DIRECTORY",
  "https://shop.example",
  "https://shop.example/",
  "https://SHOP.example",
  "https://shop.example#f",
  "http://shop.example",
  "http://localhost:9",
  "urn:x",
  "no url",
  "EMPTY",
  "TWO",
];
const forms = [
  "usual",
  "grant_type twice",
  "no grant_type",
  "unknown grant_type",
  "another grant_type",
  "scope twice",
  "client_id twice",
  "client_id of another",
  "client_id empty",
  "no client_id",
  "an unknown parameter",
  "client_assertion twice",
  "type of another assertion",
  "no assertion type",
  "authorization_details",
  "plus for a space",
  "a lone percent",
  "not ASCII",
  "NUL",
  "many parameters",
  "empty body",
  "a secret too",
];
const heads = [
  "usual",
  "charset",
  "another charset",
  "JSON",
  "no type",
  "text",
  "multipart",
  "accept html",
  "accept json",
  "Origin",
  "DPoP twice",
  "Authorization twice",
  "a query",
  "GET",
  "PUT",
  "the alias",
  "Bearer",
  "broken Basic",
  "Basic in small letters",
  "Basic without a colon",
  "encoded Basic",
  "encoding",
  "chunked",
];

/** Mostly good requests with one or two things about them: all wrong at once would only ever show the first check. */
export const recipes: fc.Arbitrary<Recipe> = fc.record({
  who: fc.nat({ max: 5 }),
  way: fc.oneof(
    { weight: 6, arbitrary: fc.constant("assertion" as const) },
    { weight: 4, arbitrary: fc.constantFrom("basic" as const, "post" as const) },
    { weight: 1, arbitrary: fc.constantFrom("none" as const, "two ways" as const) },
  ),
  assertion: usually("usual", Object.keys(assertions)),
  proof: usually("usual", Object.keys(proofs)),
  scope: usually("", scopes),
  resource: usually("ISSUER", resources),
  form: usually("usual", forms),
  head: usually("usual", heads),
});

function usually(usual: string, others: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.constant(usual) },
    { weight: 2, arbitrary: fc.constantFrom(...others) },
  );
}

export type Sent = {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly chunked: boolean;
};

/** The request of a recipe, with a `jti` of its own: the same recipe makes twins that no replay check takes for one. */
export function make(recipe: Recipe, cast: Cast): Sent {
  const agent = cast.agents[recipe.who % cast.agents.length];
  if (agent === undefined) throw new RangeError("a recipe names one of the cast");
  const pairs: [string, string][] = [["grant_type", "client_credentials"]];
  const headers: string[] = [];
  const bySecret = recipe.way !== "assertion" && recipe.way !== "none";
  const id = bySecret ? cast.admin.id : agent.id;
  if (recipe.way === "assertion" || recipe.way === "two ways")
    pairs.push(
      ["client_assertion_type", clientAssertionType],
      ["client_assertion", assertionOf(recipe, cast, agent)],
    );
  if (recipe.way !== "basic") pairs.push(["client_id", id]);
  if (recipe.way === "post") pairs.push(["client_secret", secretOf(recipe, cast)]);
  if (recipe.way === "basic" || recipe.way === "two ways")
    headers.push("Authorization", basicOf(recipe, cast));
  addTexts(pairs, recipe, { cast, bySecret });
  const wantsProof = bySecret ? recipe.proof !== "usual" && recipe.proof !== "none" : recipe.proof !== "none";
  if (wantsProof) headers.push("DPoP", proofOf(recipe, cast, agent));
  return dressed(recipe, { pairs, headers, cast });
}

const secretOf = ({ assertion }: Recipe, { admin }: Cast): string =>
  assertion === "another key" ? "wrong" : admin.secret;

function basicOf(recipe: Recipe, cast: Cast): string {
  const { id } = cast.admin;
  const text = `${id}:${secretOf(recipe, cast)}`;
  const encoded = Buffer.from(recipe.head === "encoded Basic" ? text.replace("_", "%5F") : text).toString(
    "base64",
  );
  if (recipe.head === "broken Basic") return `Basic ${encoded}!`;
  if (recipe.head === "Basic without a colon") return `Basic ${Buffer.from(id).toString("base64")}`;
  if (recipe.head === "Bearer") return `Bearer ${encoded}`;
  return `${recipe.head === "Basic in small letters" ? "basic" : "Basic"} ${encoded}`;
}

type Member = Cast["agents"][number];

function assertionOf(recipe: Recipe, cast: Cast, { id, keys }: Member): string {
  const { claims, header, text, key } = assertions[recipe.assertion]?.(cast) ?? {};
  const used: PrivateJwk = key === "other" ? stranger : key === "dpop" ? keys.dpop : keys.assertion;
  const usual = { iss: id, sub: id, aud: cast.issuer, iat: nowS(), exp: nowS() + 60, jti: newJti() };
  const jws = signJws(used, { typ: "JWT", ...json(header) }, json({ ...usual, ...claims }));
  return text?.(jws) ?? jws;
}

function proofOf(recipe: Recipe, cast: Cast, { keys }: Member): string {
  const { claims, header, text, key } = proofs[recipe.proof]?.(cast) ?? {};
  const used: PrivateJwk = key === "other" ? stranger : key === "assertion" ? keys.assertion : keys.dpop;
  const usual = {
    jti: newJti(),
    htm: "POST",
    htu: `${cast.issuer}/oauth/token`,
    iat: nowS(),
    nonce: cast.nonce,
  };
  const head = json({ typ: "dpop+jwt", jwk: { ...publicJwkOf(used) }, ...header });
  const jws = signJws(used, { typ: "dpop+jwt", ...head }, json({ ...usual, ...claims }));
  return text?.(jws) ?? jws;
}

const json = (value: object | undefined) => JSON.parse(JSON.stringify(value ?? {}));

function addTexts(
  pairs: [string, string][],
  recipe: Recipe,
  { cast, bySecret }: { cast: Cast; bySecret: boolean },
): void {
  const scope = recipe.scope === "" && bySecret ? "agents:read" : recipe.scope;
  if (scope !== "") pairs.push(["scope", scope === "EMPTY" ? "" : scope]);
  const { resource } = recipe;
  if (resource === "TWO") pairs.push(["resource", cast.issuer], ["resource", cast.directory]);
  else if (resource === "EMPTY") pairs.push(["resource", ""]);
  else if (resource !== "")
    pairs.push(["resource", { ISSUER: cast.issuer, DIRECTORY: cast.directory }[resource] ?? resource]);
}

function dressed(
  recipe: Recipe,
  { pairs, headers, cast }: { pairs: [string, string][]; headers: string[]; cast: Cast },
): Sent {
  const { head } = recipe;
  const types: Readonly<Record<string, string>> = {
    charset: "application/x-www-form-urlencoded; charset=UTF-8",
    "another charset": "application/x-www-form-urlencoded; charset=utf-16",
    JSON: "application/json",
    text: "text/plain",
    multipart: "multipart/form-data; boundary=x",
  };
  const body = bodyOf(recipe, pairs, cast);
  if (head !== "no type") headers.push("Content-Type", types[head] ?? "application/x-www-form-urlencoded");
  if (head === "accept html") headers.push("Accept", "text/html,*/*;q=0.1");
  if (head === "accept json") headers.push("Accept", "application/json");
  if (head === "Origin") headers.push("Origin", "https://page.example");
  if (head === "DPoP twice") headers.push("DPoP", "x");
  if (head === "Authorization twice") headers.push("Authorization", "Basic eDp5");
  if (head === "encoding") headers.push("Content-Encoding", "gzip");
  const method = head === "GET" || head === "PUT" ? head : "POST";
  const path = head === "the alias" ? "/api/v1/token" : `/oauth/token${head === "a query" ? "?a=b" : ""}`;
  return { method, path, headers, body, chunked: head === "chunked" };
}

/** Changes to the form as a whole, by what they are called. */
const changes: Readonly<Record<string, (pairs: [string, string][], cast: Cast) => [string, string][]>> = {
  "grant_type twice": (pairs) => [...pairs, ["grant_type", "client_credentials"]],
  "no grant_type": (pairs) => pairs.filter(([name]) => name !== "grant_type"),
  "unknown grant_type": (pairs) => [["grant_type", "magic"], ...pairs.slice(1)],
  "another grant_type": (pairs) => [["grant_type", "refresh_token"], ...pairs.slice(1)],
  "scope twice": (pairs) => [...pairs, ["scope", "a"], ["scope", "b"]],
  "client_id twice": (pairs) => [...pairs, ["client_id", "a"], ["client_id", "b"]],
  "client_id of another": (pairs, { admin }) => [
    ...pairs.filter(([name]) => name !== "client_id"),
    ["client_id", `${admin.id}x`],
  ],
  "client_id empty": (pairs) => [...pairs.filter(([name]) => name !== "client_id"), ["client_id", ""]],
  "no client_id": (pairs) => pairs.filter(([name]) => name !== "client_id"),
  "an unknown parameter": (pairs) => [...pairs, ["audience", "x"]],
  "client_assertion twice": (pairs) => [...pairs, ["client_assertion", "x"]],
  "type of another assertion": (pairs) =>
    pairs.map(([name, value]) => (name === "client_assertion_type" ? [name, "urn:x"] : [name, value])),
  "no assertion type": (pairs) => pairs.filter(([name]) => name !== "client_assertion_type"),
  authorization_details: (pairs) => [...pairs, ["authorization_details", "[]"]],
  "many parameters": (pairs) => [
    ...pairs,
    ...Array.from({ length: 1_200 }, (_, i): [string, string] => [`p${i}`, "1"]),
  ],
  "a secret too": (pairs, { admin }) => [...pairs, ["client_secret", admin.secret]],
};

function bodyOf({ form }: Recipe, pairs: [string, string][], cast: Cast): Buffer {
  const text = new URLSearchParams(changes[form]?.(pairs, cast) ?? pairs).toString();
  if (form === "empty body") return Buffer.alloc(0);
  if (form === "a lone percent") return Buffer.from(`${text}&scope2=%zz&x=%`);
  if (form === "not ASCII") return Buffer.from(`${text}&note=é\u00ff`);
  if (form === "NUL") return Buffer.from(`${text}&note=%00`);
  if (form === "plus for a space") return Buffer.from(text.replaceAll("%20", "+"));
  return Buffer.from(text);
}

export type Received = {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
};

/** Sends the bytes as they are: headers may stand twice, which `fetch` would join. */
export function exchange(origin: string, { method, path, headers, body, chunked }: Sent): Promise<Received> {
  const url = new URL(origin);
  const length = chunked ? ["Transfer-Encoding", "chunked"] : ["Content-Length", String(body.length)];
  return new Promise((resolve, reject) => {
    const sending = httpRequest(
      { host: "127.0.0.1", port: url.port, method, path, headers: ["Host", url.host, ...headers, ...length] },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    sending.once("error", reject);
    sending.end(body);
  });
}

/** Good requests of each client with one thing about them, each thing once. */
export function singles(): Recipe[] {
  const plain: Recipe = {
    who: 0,
    way: "assertion",
    assertion: "usual",
    proof: "usual",
    scope: "",
    resource: "ISSUER",
    form: "usual",
    head: "usual",
  };
  const starts: Recipe[] = [plain, { ...plain, way: "basic" }, { ...plain, way: "post" }];
  const each = (start: Recipe): Recipe[] => [
    ...Object.keys(assertions).map((assertion) => ({ ...start, assertion })),
    ...Object.keys(proofs).map((proof) => ({ ...start, proof })),
    ...scopes.map((scope) => ({ ...start, scope })),
    ...resources.map((resource) => ({ ...start, resource })),
    ...forms.map((form) => ({ ...start, form })),
    ...heads.map((head) => ({ ...start, head })),
  ];
  const ways = (["none", "two ways"] as const).map((way) => ({ ...plain, way }));
  return [...starts.flatMap(each), ...ways, ...[1, 2, 3, 4, 5].map((who) => ({ ...plain, who }))];
}
