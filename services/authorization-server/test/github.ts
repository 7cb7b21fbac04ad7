import { spawn } from "node:child_process";
import { generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { nowS, part, randomJti } from "./partner.ts";

export type Repository = { readonly name: string; readonly id: number; readonly owner: number };

/** What of GitHub a workflow and our server meet: the keys, the tokens of a run, and what repositories there are. */
export class Github {
  readonly repositories = new Map<string, Repository>();
  readonly #key: KeyObject;
  readonly #server: Server;
  #origin = "";
  /** What the running workflow is: claims beside the usual. */
  workflow: Readonly<Record<string, unknown>> = {};
  readonly requestToken = "the-runner's-own";

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.#key = privateKey;
    const jwk = { ...publicKey.export({ format: "jwk" }), kid: "gh", alg: "RS256", use: "sig" };
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? "/", this.#origin);
      const [status, body] = this.#answer(url, request.headers.authorization, jwk);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  }

  #answer(url: URL, authorization: string | undefined, jwk: object): [number, unknown] {
    if (url.pathname === "/.well-known/jwks") return [200, { keys: [jwk] }];
    if (url.pathname === "/run/token") {
      if (authorization !== `bearer ${this.requestToken}`) return [401, {}];
      return [200, { value: this.sign({ aud: url.searchParams.get("audience") }) }];
    }
    const found = this.repositories.get(url.pathname.replace("/repos/", ""));
    if (found === undefined) return [404, { message: "Not Found" }];
    return [200, { id: found.id, full_name: found.name, owner: { id: found.owner } }];
  }

  /** A token for the run of a workflow in this repository, on a branch of it. */
  runIn({ name, id, owner }: Repository, more: object = {}): void {
    this.workflow = {
      sub: `repo:${name}:ref:refs/heads/main`,
      repository: name,
      repository_id: String(id),
      repository_owner_id: String(owner),
      ref: "refs/heads/main",
      event_name: "push",
      ...more,
    };
  }

  sign(more: object = {}): string {
    const usual = { iss: this.#origin, iat: nowS(), exp: nowS() + 300, jti: randomJti() };
    const input = `${part({ alg: "RS256", typ: "JWT", kid: "gh" })}.${part({ ...usual, ...this.workflow, ...more })}`;
    return `${input}.${signBytes("sha256", Buffer.from(input), this.#key).toString("base64url")}`;
  }

  get origin(): string {
    return this.#origin;
  }

  get host(): string {
    return new URL(this.#origin).host;
  }

  /** What a runner sets for a job that may ask for a token. */
  get runner(): Record<string, string> {
    return {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${this.#origin}/run/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: this.requestToken,
    };
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    this.#origin = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }
}

export type Ran = {
  readonly code: number;
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
};

const actions = new URL("../../../actions/", import.meta.url).pathname;

/** Runs the one step of an action as a runner does: its own `run` line under bash, with its own `env` from the inputs. */
export async function runAction(
  name: string,
  inputs: Readonly<Record<string, string>>,
  runner: Readonly<Record<string, string>>,
): Promise<Ran> {
  const folder = path.join(actions, name);
  const yaml = await readFile(path.join(folder, "action.yml"), "utf8");
  const [, run = ""] = /^ {6}run: (.+)$/m.exec(yaml) ?? [];
  const env: Record<string, string> = {};
  for (const [, variable = "", of = ""] of yaml.matchAll(/^ {8}(\w+): \$\{\{ inputs\.([\w-]+) \}\}$/gm))
    env[variable] = inputs[of] ?? usualOf(yaml, of);
  const place = await mkdtemp(path.join(tmpdir(), "remit-action-"));
  const outputFile = path.join(place, "output");
  const node = path.dirname(process.execPath);
  const child = spawn("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", run], {
    env: {
      ...env,
      ...runner,
      PATH: `${node}:${process.env["PATH"] ?? ""}`,
      GITHUB_ACTION_PATH: folder,
      GITHUB_OUTPUT: outputFile,
    },
  });
  let log = "";
  child.stdout.on("data", (chunk) => (log += String(chunk)));
  child.stderr.on("data", (chunk) => (log += String(chunk)));
  const code = await new Promise<number>((resolve) => child.on("close", (status) => resolve(status ?? -1)));
  const written = await readFile(outputFile, "utf8").catch(() => "");
  await rm(place, { recursive: true });
  return { code, log, outputs: outputsIn(written) };
}

/** The default of an input; empty where it is required and was not given, as on a runner. */
const usualOf = (yaml: string, input: string): string =>
  new RegExp(`^  ${input}:\\n(?: {4}.*\\n)*? {4}default: (.*)$`, "m").exec(yaml)?.[1]?.replace(/^""$/, "") ??
  "";

function outputsIn(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name = "", , value = ""] of text.matchAll(/^([\w-]+)<<(\S+)\n([\s\S]*?)\n\2$/gm))
    found[name] = value;
  return found;
}
