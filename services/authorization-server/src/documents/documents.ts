import type { Call } from "@remit/platform/http";
import { sha256b64url } from "@remit/protocol/node";

/** What stands in an answer with a document that everybody may keep for a while. */
export type Documented<B> =
  | { readonly status: 200; readonly headers: Readonly<Record<string, string>>; readonly body: B }
  | { readonly status: 304; readonly headers: Readonly<Record<string, string>> };

export type Published<B> = {
  readonly body: B;
  readonly type: string;
  /** What the document says, where its bytes differ each time (a signature); else the document itself. */
  readonly says?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** How long a copy may be believed: as long as a key that is no longer its agent's may be. */
const maxAgeS = 60;

/**
 * A public document: with an entity tag, so that whoever has it still asks for it cheaply (RFC 9110 §8.8.3), for pages of
 * every origin, and good for a minute. The tag is weak: it names what is said, not the bytes.
 */
export function publish<B>(
  call: Pick<Call, "header">,
  { body, type, says, headers }: Published<B>,
): Documented<B> {
  const etag = `W/"${sha256b64url(`${type} ${says ?? JSON.stringify(body)}`).slice(0, 22)}"`;
  const sent = {
    "content-type": type,
    "cache-control": `public, max-age=${maxAgeS}`,
    "access-control-allow-origin": "*",
    etag,
    vary: "Accept",
    ...headers,
  };
  return isKnown(call.header("if-none-match"), etag)
    ? { status: 304, headers: sent }
    : { status: 200, headers: sent, body };
}

/** RFC 9110 §13.1.2: compared weakly. */
const isKnown = (known: string | undefined, etag: string): boolean =>
  known !== undefined &&
  known.split(",").some((one) => weak(one.trim()) === weak(etag) || one.trim() === "*");

const weak = (tag: string): string => tag.replace(/^W\//, "");
