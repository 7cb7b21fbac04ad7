import type { IncomingMessage } from "node:http";

/**
 * A request of a client in its plain form: each header and each parameter once, none empty, none unknown. Those are
 * answered in front of the core; whatever else a request may be is for the core to judge, who reads it as it came.
 */
export type PlainRequest = {
  readonly authorization: string | undefined;
  readonly dpop: string | undefined;
  readonly form: Readonly<Record<string, string | undefined>>;
};

const bytesMax = 16 * 1024;
const formTypes = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i;
const jsonTypes = /^(?:\*\/\*|application\/json)(?:$|,)/;
const unusualHeaders = ["origin", "transfer-encoding", "content-encoding", "oauth-client-attestation"];

/** Whether the head of a request is plain. Of a header sent twice Node keeps the first or joins both: not plain. */
export function hasPlainHead({ method, headers, rawHeaders }: IncomingMessage): boolean {
  const { "content-type": type = "", "content-length": length, accept = "*/*" } = headers;
  const bytes = Number(length);
  return (
    method === "POST" &&
    formTypes.test(type) &&
    jsonTypes.test(accept) &&
    bytes > 0 &&
    bytes <= bytesMax &&
    Object.keys(headers).length * 2 === rawHeaders.length &&
    !unusualHeaders.some((name) => name in headers)
  );
}

/** The request, if its body is plain too and has no other parameters. */
export function readPlainRequest(
  { headers }: IncomingMessage,
  body: Buffer,
  parameters: ReadonlySet<string>,
): PlainRequest | undefined {
  const form = readPlainForm(body.toString("latin1"), parameters);
  if (form === undefined) return undefined;
  const { authorization, dpop } = headers;
  // Both stand once; `dpop` is a header that Node joins, so its type says it could be several.
  return { authorization, dpop: typeof dpop === "string" ? dpop : undefined, form };
}

/**
 * A form in its one usual spelling: visible ASCII, every name plain and known, once, with a value that is not empty.
 * Values are decoded as the parser of the core decodes them (WHATWG URL §5.1); what it would mend is not plain.
 */
export function readPlainForm(
  text: string,
  parameters: ReadonlySet<string>,
): Record<string, string> | undefined {
  if (!/^[!-~]+$/.test(text)) return undefined;
  const form: Record<string, string> = {};
  for (const part of text.split("&")) {
    const equals = part.indexOf("=");
    const name = part.slice(0, Math.max(0, equals));
    const value = decoded(part.slice(equals + 1));
    if (!parameters.has(name) || name in form || value === undefined || value === "") return undefined;
    form[name] = value;
  }
  return form;
}

function decoded(value: string): string | undefined {
  if (!value.includes("%") && !value.includes("+")) return value;
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

/** The whole body, read and put back: whoever reads the request after us finds it as it came. Undefined: it never came. */
export function peekBody(req: IncomingMessage): Promise<Buffer | undefined> {
  const length = Number(req.headers["content-length"]);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (body: Buffer | undefined): void => {
      req.off("readable", take).off("close", gone).off("error", gone);
      resolve(body);
    };
    const take = (): void => {
      for (let chunk: Buffer | null = req.read(); chunk !== null; chunk = req.read()) {
        chunks.push(chunk);
        bytes += chunk.length;
      }
      if (bytes < length) return;
      const body = Buffer.concat(chunks);
      // Before the stream can say that it has ended: the end comes in a later turn, and not while there is something.
      req.unshift(body);
      end(body);
    };
    const gone = (): void => end(undefined);
    req.on("readable", take).on("close", gone).on("error", gone);
  });
}
