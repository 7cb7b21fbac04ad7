import type { ApiDocument, ApiOperation } from "./api-document.ts";

export type ApiInput = {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
};

export type ApiRequest = {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
};

/** How a client sends, with what proves it. */
export type ApiSend = (request: ApiRequest) => Promise<Response>;

export type ApiAnswer = { readonly status: number; readonly headers: Headers; readonly body: unknown };

/** A function per operation, by its id. */
export type ApiClient = Readonly<Record<string, (input?: ApiInput) => Promise<ApiAnswer>>>;

/**
 * The client that a document describes. It takes no answer that the document does not declare: another status, another
 * type of content, a body that does not fit its schema (also by a member too many), a code that is not listed.
 */
export const apiClient = (document: ApiDocument, send: ApiSend): ApiClient =>
  Object.fromEntries(
    document.operations.map((operation) => [
      operation.id,
      async (input: ApiInput = {}) => {
        const answer = await send(requestOf(operation, input));
        return checked(document, operation, answer);
      },
    ]),
  );

function requestOf(
  operation: ApiOperation,
  { path = {}, query = {}, headers = {}, body }: ApiInput,
): ApiRequest {
  const filled = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(path[name] ?? ""),
  );
  const asked = new URLSearchParams(query).toString();
  const type = operation.body?.type === "*/*" ? "application/octet-stream" : operation.body?.type;
  return {
    method: operation.method,
    target: asked === "" ? filled : `${filled}?${asked}`,
    headers: { ...(type === undefined || body === undefined ? {} : { "content-type": type }), ...headers },
    body: body === undefined ? undefined : encoded(type, body),
  };
}

function encoded(type: string | undefined, body: unknown): string {
  if (typeof body === "string") return body;
  if (type !== "application/x-www-form-urlencoded") return JSON.stringify(body);
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(Object(body))) form.set(name, String(value));
  return form.toString();
}

async function checked(document: ApiDocument, operation: ApiOperation, answer: Response): Promise<ApiAnswer> {
  const { status, headers } = answer;
  const text = await answer.text();
  const fail = (why: string): never => {
    throw new Error(
      `${operation.method} ${operation.path} answered ${status}, ${why}: ${text.slice(0, 600)}`,
    );
  };
  const declared = operation.responses[String(status)] ?? fail("which its document does not declare");
  const type = (headers.get("content-type") ?? "").split(";", 1)[0] ?? "";
  if (text === "") return { status, headers, body: undefined };
  const content = declared.content?.[type] ?? fail(`with ${type}, which its document does not declare`);
  const body: unknown =
    type.endsWith("json") && content.schema?.["type"] !== "string" ? JSON.parse(text) : text;
  if (content.schema !== undefined) {
    const pointer = ["paths", operation.path, operation.method.toLowerCase(), "responses", String(status)];
    const wrong = document.wrong([...pointer, "content", type, "schema"], body);
    if (wrong !== undefined) fail(`with a body that does not fit (${wrong})`);
  }
  return { status, headers, body };
}
