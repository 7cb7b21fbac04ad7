import {
  concatBytes,
  isJsonObject,
  isProblemCode,
  type Json,
  type JsonObject,
  Problem,
  type PublicJwk,
  parseJson,
  parseJwks,
} from "@remit/protocol";

/** What the SDK needs of `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const timeoutMs = 30_000;

/** Fetches without following redirects (they would carry credentials elsewhere), in bounded time. */
export const send = (fetchAny: Fetch, url: string, init: RequestInit): Promise<Response> =>
  fetchAny(url, { redirect: "manual", signal: AbortSignal.timeout(timeoutMs), ...init });

/** The body, up to so many bytes; more is refused before it is held in memory. */
export async function bytesOf(response: Response, bytesMax = 2 * 1024 * 1024): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    length += part.value.length;
    if (length > bytesMax) {
      await reader?.cancel();
      throw new Problem("payload_too_large", { detail: "The answer is too large." });
    }
    parts.push(part.value);
  }
  return concatBytes(...parts);
}

/** The JSON of an answer below 300; else the refusal it holds. */
export async function answerOf(response: Response, bytesMax?: number): Promise<JsonObject> {
  const json = jsonOf(await bytesOf(response, bytesMax));
  if (response.ok && isJsonObject(json)) return json;
  throw refusalOf(response, json);
}

/** The public keys at a JWKS address. */
export async function fetchKeys(fetchAny: Fetch, url: string): Promise<readonly PublicJwk[]> {
  const response = await send(fetchAny, url, { headers: { accept: "application/json" } });
  const keys = parseJwks(await answerOf(response));
  if (keys === undefined) throw new Problem("unavailable", { detail: `There are no keys at ${url}.` });
  return keys;
}

function jsonOf(bytes: Uint8Array): Json | undefined {
  try {
    return parseJson(bytes, { bytesMax: Math.max(bytes.length, 1) });
  } catch {
    return undefined;
  }
}

// A code of ours is a problem of Remit; `error` is what OAuth calls it (RFC 6749 §5.2).
function refusalOf(response: Response, body: Json | undefined): Problem {
  const members = isJsonObject(body) ? body : {};
  const code = [members["code"], members["error"]].find(
    (name) => typeof name === "string" && isProblemCode(name),
  );
  const detail = members["detail"] ?? members["error_description"];
  const extra = Object.fromEntries(Object.entries(members).filter(([name]) => !standardMembers.has(name)));
  return new Problem(typeof code === "string" && isProblemCode(code) ? code : "unavailable", {
    ...(response.status >= 400 && { status: response.status }),
    ...(typeof detail === "string" && { detail }),
    extra,
  });
}

const standardMembers = new Set([
  "type",
  "title",
  "status",
  "code",
  "detail",
  "remedy",
  "error",
  "error_description",
]);
