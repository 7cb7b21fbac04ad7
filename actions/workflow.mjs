// What both actions share. No dependencies: it runs as it is on whatever Node the runner has.
import { randomUUID } from "node:crypto";
import { appendFile } from "node:fs/promises";

const timeoutMs = 30_000;

/** An input of the action. */
export function input(name) {
  const value = (process.env[name] ?? "").trim();
  if (value === "")
    throw new Error(`${name.replace("REMIT_", "").toLowerCase().replaceAll("_", "-")} is missing`);
  return value;
}

export const optional = (name) => (process.env[name] ?? "").trim() || undefined;

/** The server's origin. What is sent there is worth stealing, so it goes by TLS or stays on this machine. */
export function origin() {
  const url = new URL(input("REMIT_API_URL"));
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && local))
    throw new Error("api-url must be an https address");
  return url.origin;
}

/** Keeps a value out of the log, from now on. */
const mask = (value) => process.stdout.write(`::add-mask::${value}\n`);

/** What GitHub says of this workflow, to this server alone. */
async function workflowToken(audience) {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = process.env;
  if (!url || !token) throw new Error("the job needs `permissions: id-token: write`");
  const at = new URL(url);
  at.searchParams.set("audience", audience);
  const { value } = await ask(at, { headers: { authorization: `bearer ${token}` } });
  if (typeof value !== "string") throw new Error("GitHub gave no token");
  mask(value);
  return value;
}

/** A token of the server for what GitHub says; `wish` names the agent or the organization. */
export async function issueToken(server, wish) {
  const issued = await post(`${server}/api/v1/oidc/token`, { token: await workflowToken(server), ...wish });
  if (typeof issued.access_token !== "string") throw new Error("the server gave no token");
  mask(issued.access_token);
  return issued;
}

export const post = (url, body, headers = {}) =>
  ask(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

async function ask(url, request) {
  const answer = await fetch(url, { ...request, redirect: "error", signal: AbortSignal.timeout(timeoutMs) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${new URL(url).host} answered ${answer.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

/** An output under a delimiter that no value can guess. */
export async function output(name, value) {
  const end = `end_${randomUUID()}`;
  await appendFile(process.env.GITHUB_OUTPUT, `${name}<<${end}\n${value}\n${end}\n`);
}

/** Runs an action; what goes wrong stands in the log as one line of GitHub's form. */
export async function run(action) {
  try {
    await action();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const line = message.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
    process.stdout.write(`::error::${line}\n`);
    process.exitCode = 1;
  }
}
