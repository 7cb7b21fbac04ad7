import type { Id } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { Problem, readJson } from "@remit/protocol";
import { CreateAgent, type ImportedAgents, type ImportedRow } from "@remit/protocol/contracts";
import type { z } from "zod";
import { type Agent, agentByEmail } from "../agents/index.ts";
import { type Managing, type NewAgent, newAgentOf } from "./fleet.ts";
import type { Registrations } from "./registrations.ts";

export const importBytesMax = 4 * 1024 * 1024;
const rowsMax = 1_000;
/** Rows at once: they share transactions, one at a time. */
const atOnce = 32;

type Deps = { readonly db: Database; readonly registrations: Registrations };
type Row = z.input<typeof ImportedRow>;

/**
 * Registers each row by itself, whatever becomes of the others, and says of each what became of it. Sent again, an agent that
 * is there as the row says it is `existing`; one of the same e-mail address that differs is refused.
 */
export async function importAgents(
  deps: Deps,
  managing: Managing,
  body: Uint8Array,
): Promise<z.input<typeof ImportedAgents>> {
  const given = rowsOf(Buffer.from(body).toString("utf8"));
  const results: Row[] = [];
  const queue = given.map((value, index) => ({ value, row: index + 1 }));
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      results[next.row - 1] = { row: next.row, ...(await importRow(deps, managing, next.value)) };
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const count = (status: Row["status"]): number => results.filter((row) => row.status === status).length;
  return { created: count("created"), existing: count("existing"), refused: count("refused"), rows: results };
}

type Read = (text: string) => { readonly value: unknown } | undefined;

const readOne: Read = (text) => {
  const read = readJson(Buffer.from(text), importBytesMax);
  return "value" in read ? read : undefined;
};

/**
 * A JSON array, or one JSON value on each line. A line that is no JSON is a row that will be refused. What has more rows
 * than may be, or more in it than so many rows could have, is refused before any of it is parsed (V01).
 */
export function rowsOf(text: string, read: Read = readOne): readonly unknown[] {
  if (partsOf(text) > rowsMax * partsMax) throw tooMany();
  const rows = text.trimStart().startsWith("[") ? arrayOf(text, read) : linesOf(text, read);
  if (rows.length === 0) throw new Problem("invalid_request", { detail: "There is no row." });
  if (rows.length > rowsMax) throw tooMany();
  return rows;
}

/** Members, items and empty lines that a row has on an average: far more than any has. */
const partsMax = 200;
const emptyMax = 10;
const tooMany = (): Problem => new Problem("invalid_request", { detail: `At most ${rowsMax} rows.` });

/** At least as many as there are values in a JSON text; what stands in strings is counted too. */
function partsOf(text: string): number {
  let parts = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === comma || code === brace || code === bracket) parts += 1;
  }
  return parts;
}
const [comma, brace, bracket] = [0x2c, 0x7b, 0x5b];

function arrayOf(text: string, read: Read): readonly unknown[] {
  const array = read(text)?.value;
  if (!Array.isArray(array)) throw new Problem("invalid_request", { detail: "The body is no JSON array." });
  return array;
}

function linesOf(text: string, read: Read): readonly unknown[] {
  const lines = text.split("\n", rowsMax * emptyMax + 1);
  const filled = lines.filter((line) => line.trim() !== "");
  if (lines.length > rowsMax * emptyMax || filled.length > rowsMax) throw tooMany();
  return filled.map((line) => read(line)?.value);
}

type Outcome = Omit<Row, "row">;

async function importRow(deps: Deps, managing: Managing, value: unknown): Promise<Outcome> {
  const parsed = CreateAgent.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const detail = `${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim().slice(0, 200);
    return { status: "refused", code: "invalid_request", detail };
  }
  try {
    return await registerRow(deps, managing, newAgentOf(parsed.data, managing.caller));
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
    return { status: "refused", code: error.code, detail: error.detail ?? error.message };
  }
}

async function registerRow(
  { db, registrations }: Deps,
  managing: Managing,
  wanted: NewAgent,
): Promise<Outcome> {
  try {
    const { id } = await registrations.add(wanted, managing);
    return { status: "created", agentId: id };
  } catch (error) {
    const { email } = wanted;
    if (!(error instanceof Problem) || error.code !== "agent_exists" || email === undefined) throw error;
    const tenant = db.of(managing.caller.tenant);
    const there = await tenant.transaction((tx) => agentByEmail(tx, email));
    if (there === undefined || !isAsWanted(there, wanted)) throw error;
    return { status: "existing", agentId: there.id satisfies Id<"agent"> };
  }
}

/** Whether the agent that is there is the one of the row, imported before. */
function isAsWanted(there: Agent, wanted: NewAgent): boolean {
  const said = (agent: NewAgent): string =>
    JSON.stringify([
      agent.name,
      agent.email,
      agent.agentType,
      agent.version,
      [...agent.capabilities].sort(),
      agent.owner,
      agent.deploymentEnv,
      agent.isPublic,
      [...agent.scopes].sort(),
      agent.assertionJwk,
      agent.dpopJwk,
    ]);
  return there.status !== "decommissioned" && said(there) === said(wanted);
}
