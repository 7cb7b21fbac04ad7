import { isIP } from "node:net";

const didCharactersMax = 512;
const host = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const segment = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/;

/**
 * Where the document of a did:web stands (did:web §3.2), undefined for a text that is none. Strict, because whoever is
 * asked to resolve it sends a request there: a name, not an address (§2: "MUST NOT include IP addresses"), a port, and
 * path segments that no server reads as anything else.
 */
export function documentUrlOf(did: string): string | undefined {
  if (did.length > didCharactersMax || !did.startsWith("did:web:")) return undefined;
  const [place = "", ...path] = did.slice("did:web:".length).split(":");
  const authority = authorityOf(place);
  if (authority === undefined || !path.every((part) => segment.test(part))) return undefined;
  return `https://${authority}/${path.length === 0 ? ".well-known" : path.join("/")}/did.json`;
}

function authorityOf(place: string): string | undefined {
  const [name = "", port, ...more] = place.toLowerCase().split("%3a");
  if (more.length > 0 || !host.test(name)) return undefined;
  if (port !== undefined && !(/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535)) return undefined;
  // The parser of URLs knows the other ways to write an address: decimal, octal, hexadecimal.
  const parsed = URL.parse(`https://${name}`)?.hostname;
  if (parsed !== name || isIP(parsed) !== 0) return undefined;
  return port === undefined ? name : `${name}:${port}`;
}
