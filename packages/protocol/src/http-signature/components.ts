import { urlOf } from "../encoding/index.ts";
import { MalformedField } from "./structured-fields.ts";

/** A header as it came over the wire; a name may occur more than once. */
export type HeaderPair = readonly [name: string, value: string];

export type HttpRequest = {
  readonly method: string;
  /** The absolute URL that was asked for. */
  readonly targetUri: string;
  readonly fields?: readonly HeaderPair[];
};

export type HttpResponse = { readonly status: number; readonly fields: readonly HeaderPair[] };

/** What a signature covers: a response with the request it answers, or a request alone. */
export type SignedMessage = { readonly request: HttpRequest; readonly response?: HttpResponse };

/** A covered component: a field's name or a derived `@name`; `req` takes it from the request of a response. */
export type Component = { readonly name: string; readonly req?: boolean };

/** The component's value (RFC 9421 §2); refused when the message lacks it. */
export function componentValue({ name, req }: Component, message: SignedMessage): string {
  const ofRequest = req === true || message.response === undefined;
  if (req === true && message.response === undefined) throw new MalformedField("req belongs to responses");
  const value = name.startsWith("@")
    ? derivedValue(name, ofRequest ? message.request : undefined, message.response)
    : fieldValue(name, (ofRequest ? message.request.fields : message.response?.fields) ?? []);
  if (value === undefined) throw new MalformedField(`the message has no ${name}`);
  return value;
}

/** RFC 9421 §2.1: each line trimmed, folds made one space, several lines joined by a comma and a space. */
export function fieldValue(name: string, fields: readonly HeaderPair[]): string | undefined {
  const lines = fields.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);
  if (lines.length === 0) return undefined;
  return lines.map((line) => line.trim().replace(/[ \t]*\r?\n[ \t]+/g, " ")).join(", ");
}

function derivedValue(
  name: string,
  request: HttpRequest | undefined,
  response: HttpResponse | undefined,
): string | undefined {
  if (request === undefined) return name === "@status" ? response?.status.toString() : undefined;
  if (name === "@method") return request.method;
  if (name === "@target-uri") return request.targetUri;
  const url = urlOf(request.targetUri);
  if (url === undefined) return undefined;
  switch (name) {
    case "@authority":
      return url.host;
    case "@scheme":
      return url.protocol.slice(0, -1);
    case "@path":
      return url.pathname;
    case "@query":
      return url.search === "" ? "?" : url.search;
    case "@request-target":
      return url.pathname + url.search;
    default:
      return undefined;
  }
}
