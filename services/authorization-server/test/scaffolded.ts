import { execFile, execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { unzipSync } from "fflate";
import { adminToken } from "./client.ts";
import { agentIn } from "./fleet.ts";
import { Management } from "./management.ts";
import { adminSecret, type Running } from "./running.ts";

/** The zip of an agent's program, as its operator downloads it. */
export async function download(running: Running, agent: string, language: string): Promise<Response> {
  const { body } = await adminToken(running);
  const url = `${running.issuer}/api/v1/sdk/scaffold/${agent}?language=${language}`;
  return fetch(url, { headers: { authorization: `Bearer ${String(body["access_token"])}` } });
}

export type Project = { readonly folder: string; readonly agent: string };

/** A project as somebody unpacks it below `place`, for a new agent whose secret is filled in. */
export async function projectIn(running: Running, place: string, language: string): Promise<Project> {
  const agent = await agentIn(running, { scopes: ["agents:read", "agents:write"] });
  const operator = new Management(running, adminSecret, "agents:read agents:write");
  const { body } = await operator.call("POST", `/api/v1/agents/${agent}/credentials`, {});
  const answer = await download(running, agent, language);
  if (answer.status !== 200) throw new Error(await answer.text());
  const folder = path.join(place, language);
  for (const [file, bytes] of Object.entries(unzipSync(new Uint8Array(await answer.arrayBuffer())))) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), bytes);
    if (file !== ".env.example") continue;
    const example = Buffer.from(bytes).toString("utf8");
    const env = example.replace("AGENTIDP_CLIENT_SECRET=", `$&${String(body["clientSecret"])}`);
    await writeFile(path.join(folder, ".env"), env);
  }
  return { folder, agent };
}

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a command as its README says to, with nothing of our own environment but where programs are. */
export const runIn = (
  folder: string,
  command: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> =>
  new Promise((resolve) => {
    const usual = { PATH: `${path.dirname(process.execPath)}:${process.env["PATH"] ?? ""}`, HOME: folder };
    execFile("bash", ["-c", command], { cwd: folder, env: { ...usual, ...env } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
  });

/** Whether this machine has a program. */
export function has(program: string, version = "--version"): boolean {
  try {
    execFileSync(program, [version], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
