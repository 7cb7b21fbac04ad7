import type { IncomingMessage } from "node:http";
import { parse as parseForm } from "node:querystring";

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

/** The request, if its body is plain too and has no other parameters; read by the parser that the core uses. */
export function readPlainRequest(
  { headers }: IncomingMessage,
  body: Buffer,
  parameters: ReadonlySet<string>,
): PlainRequest | undefined {
  const text = body.toString("latin1");
  if (!/^[!-~]+$/.test(text)) return undefined;
  const form: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseForm(text))) {
    if (!parameters.has(name) || typeof value !== "string" || value === "") return undefined;
    form[name] = value;
  }
  const { authorization, dpop } = headers;
  // Both stand once; `dpop` is a header that Node joins, so its type says it could be several.
  return { authorization, dpop: typeof dpop === "string" ? dpop : undefined, form };
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
