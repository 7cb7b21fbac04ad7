import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { StartRefused } from "@remit/platform/host";
import type { Outbound } from "@remit/platform/outbound";
import type { Actions } from "./actions.ts";
import type { Cedar, Statement } from "./cedar.ts";
import { opaDataEngine, opaRemoteEngine, parseOpaData } from "./opa.ts";
import type { PolicyEngine } from "./port.ts";

/**
 * What stands under everybody's policies: whatever the scope check let through is permitted, so that a tenant's own say
 * what is not. Alone it allows every call, so that it is evaluated only together with others.
 */
export const bundled: readonly Statement[] = [
  { id: "bundled:scopes", text: "permit (principal, action, resource);" },
];

/** What the operator of the installation decides for all tenants. */
export type Operated = {
  readonly statements: readonly Statement[];
  readonly engines: readonly PolicyEngine[];
};

export type OperatedSource = {
  /** POLICY_DIR: `*.cedar`, and the AgentIdP's `data/scopes.json`. */
  readonly directory: string | undefined;
  /** An OPA that is asked about every management call. */
  readonly opaUrl: string | undefined;
  readonly outbound: Pick<Outbound, "request">;
};

/** Reads the operator's policies. One that is not valid refuses all of them: half a set could allow what the rest forbids. */
export async function readOperated(
  { directory, opaUrl, outbound }: OperatedSource,
  language: { readonly cedar: Cedar; readonly actions: Actions },
): Promise<Operated> {
  const remote = opaUrl === undefined ? [] : [opaRemoteEngine("operator:opa", { url: opaUrl, outbound })];
  if (directory === undefined) return { statements: [], engines: remote };
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new StartRefused(`POLICY_DIR ${directory} cannot be read`, "Name a directory that exists.", {
      cause,
    });
  });
  const statements: Statement[] = [];
  for (const name of names.filter((file) => file.endsWith(".cedar")).toSorted()) {
    const read = language.cedar.parse(await readFile(path.join(directory, name), "utf8"));
    if ("errors" in read) throw invalid(name, read.errors);
    statements.push(...read.statements.map((text, at) => ({ id: `operator:${name}#${at + 1}`, text })));
  }
  const data = await readIfThere(path.join(directory, "data", "scopes.json"));
  if (data === undefined) return { statements, engines: remote };
  const read = parseOpaData(data, language.actions);
  if ("errors" in read) throw invalid("data/scopes.json", read.errors);
  return { statements, engines: [opaDataEngine("operator:scopes.json", read), ...remote] };
}

/** What is there and cannot be read is no absence: without it more would be allowed. */
async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new StartRefused(`the policy ${file} cannot be read`, "Let the server's user read it.", { cause });
  }
}

const invalid = (name: string, errors: readonly string[]): StartRefused =>
  new StartRefused(`the policy ${name} is not valid: ${errors.join("; ")}`, "Correct it in POLICY_DIR.");
