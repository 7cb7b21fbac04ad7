import { type Facts, readme } from "./project.ts";

const client = `/** What the server refused, or why it could not be asked. */
export class AgentIdpError extends Error {
  readonly code: string;
  /** 0 when there was no answer. */
  readonly httpStatus: number;
  readonly details: unknown;

  constructor(code: string, httpStatus: number, details: unknown) {
    super(\`\${code} (HTTP \${httpStatus})\`);
    this.name = "AgentIdpError";
    this.code = code;
    this.httpStatus = httpStatus;
    this.details = details;
  }
}

export type Settings = {
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
};

type Token = { readonly value: string; readonly renewAtMs: number };

const renewBeforeMs = 60_000;
const timeoutMs = 30_000;

export function settingsFromEnvironment(): Settings {
  const read = (name: string): string => {
    const value = process.env[name];
    if (!value) throw new AgentIdpError("settings_missing", 0, \`Set \${name}; see .env.example.\`);
    return value;
  };
  return {
    apiUrl: read("AGENTIDP_API_URL"),
    clientId: read("AGENTIDP_CLIENT_ID"),
    clientSecret: read("AGENTIDP_CLIENT_SECRET"),
    scope: read("AGENTIDP_SCOPE"),
  };
}

/** Calls the API as this agent. Its token is kept in memory and renewed a minute before it ends. */
export class AgentIdpClient {
  readonly #settings: Settings;
  #token: Token | undefined;
  #asking: Promise<Token> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** What the server knows of this agent. */
  agentInfo(): Promise<Record<string, unknown>> {
    return this.call("GET", "/agent-info");
  }

  /** One call with the agent's token; once more with a new one if the server takes the old one no longer. */
  async call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    try {
      return await this.#callOnce(method, path, body);
    } catch (error) {
      if (!(error instanceof AgentIdpError) || error.httpStatus !== 401) throw error;
      this.#token = undefined;
      return this.#callOnce(method, path, body);
    }
  }

  async #callOnce(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
    const headers: Record<string, string> = { authorization: \`Bearer \${await this.accessToken()}\` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    return send(this.#settings.apiUrl + path, { method, headers, ...content });
  }

  /** Calls at once share one request for a token. */
  async accessToken(): Promise<string> {
    if (this.#token !== undefined && performance.now() < this.#token.renewAtMs) return this.#token.value;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    this.#token = await this.#asking;
    return this.#token.value;
  }

  async #ask(): Promise<Token> {
    const { apiUrl, clientId, clientSecret, scope } = this.#settings;
    const askedAtMs = performance.now();
    const answer = await send(\`\${apiUrl}/api/v1/token\`, {
      method: "POST",
      headers: {
        authorization: \`Basic \${Buffer.from(\`\${clientId}:\${clientSecret}\`).toString("base64")}\`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams({ grant_type: "client_credentials", scope }).toString(),
    });
    const { access_token: value, expires_in: lifeS } = answer;
    if (typeof value !== "string" || typeof lifeS !== "number")
      throw new AgentIdpError("invalid_answer", 200, "The token endpoint answered without a token.");
    return { value, renewAtMs: askedAtMs + lifeS * 1000 - renewBeforeMs };
  }
}

type Request = { method: string; headers: Record<string, string>; body?: string };

async function send(url: string, request: Request): Promise<Record<string, unknown>> {
  let response: Response;
  try {
    response = await fetch(url, { ...request, redirect: "error", signal: AbortSignal.timeout(timeoutMs) });
  } catch (error) {
    throw new AgentIdpError("no_answer", 0, error instanceof Error ? error.message : String(error));
  }
  const text = await response.text();
  const answer = objectIn(text);
  if (response.ok) return answer;
  const code = answer["code"] ?? answer["error"];
  throw new AgentIdpError(typeof code === "string" ? code : "http_error", response.status, answer);
}

function objectIn(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
`;

const main = `import { AgentIdpClient, AgentIdpError, settingsFromEnvironment } from "./client.ts";

try {
  const client = new AgentIdpClient(settingsFromEnvironment());
  console.log(JSON.stringify(await client.agentInfo(), null, 2));
} catch (error) {
  if (!(error instanceof AgentIdpError)) throw error;
  const { code, httpStatus, details } = error;
  console.error(JSON.stringify({ code, httpStatus, details }));
  process.exitCode = 1;
}
`;

const compilerOptions = {
  target: "es2023",
  module: "nodenext",
  strict: true,
  noUncheckedIndexedAccess: true,
  erasableSyntaxOnly: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  types: ["node"],
};

export const typescript = (facts: Facts): Record<string, string> => ({
  "package.json": json({
    name: facts.slug,
    version: "0.1.0",
    private: true,
    type: "module",
    description: facts.title,
    engines: { node: ">=22.18" },
    scripts: { start: "node --env-file-if-exists=.env src/main.ts", check: "tsc" },
    devDependencies: { "@types/node": "24.10.1", typescript: "5.9.3" },
  }),
  "tsconfig.json": json({ compilerOptions, include: ["src"] }),
  ".gitignore": "node_modules/\n.env\n",
  "src/client.ts": client,
  "src/main.ts": main,
  "README.md": readme(facts, {
    needs: "Node 22.18 or later; nothing to install.",
    run: ["npm start"],
    where: "`src/client.ts` is the client, `src/main.ts` what your agent does.",
  }),
});

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
