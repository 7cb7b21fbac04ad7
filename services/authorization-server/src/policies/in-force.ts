import { type Clock, type Id, monotonicMs, secondMs } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Actions } from "./actions.ts";
import { bundled, type Operated } from "./bundled.ts";
import type { Cedar, Statement } from "./cedar.ts";
import { opaDataEngine, opaRemoteEngine, parseOpaData, parseOpaRemote } from "./opa.ts";
import * as rows from "./policies.sql.ts";
import { policiesChannel } from "./policies.ts";
import type { PolicyEngine } from "./port.ts";

/** What decides in one tenant. `own` has a part of the tenant's; `operated` is what stands without it. */
export type InForce = {
  readonly own: readonly PolicyEngine[];
  readonly operated: readonly PolicyEngine[];
  /** Whether the tenant has policies in force at all. */
  readonly hasOwn: boolean;
};

export type Language = { readonly cedar: Cedar; readonly actions: Actions };

export type InForceDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly outbound: Pick<Outbound, "request">;
  readonly language: () => Language;
};

const staleMs = secondMs;
const tenantsMax = 1_000;

type Kept = {
  readonly fingerprint: string;
  readonly inForce: InForce;
  readonly readAt: number;
  readonly generation: number;
};

export type PoliciesInForce = {
  of(tenant: Id<"tenant">): Promise<InForce>;
  /** What the operator decides, from now on. */
  operate(operated: Operated): void;
};

/**
 * The policies that decide in each tenant. A change reaches every process by a notification; should one be lost, what was
 * read counts for a second. They are made into engines again only when they are others than before.
 */
export function createPoliciesInForce(deps: InForceDeps): PoliciesInForce {
  const kept = new Map<Id<"tenant">, Kept>();
  const reading = new Map<Id<"tenant">, Promise<InForce>>();
  let generation = 0;
  let operated: Operated = { statements: [], engines: [] };
  let alone: readonly PolicyEngine[] = [];
  deps.db.listen(policiesChannel, () => void (generation += 1));
  const read = async (tenant: Id<"tenant">): Promise<InForce> => {
    const [readAt, before] = [monotonicMs(deps.clock), generation];
    const active = await deps.db.of(tenant).transaction(rows.activePolicies);
    const fingerprint = active.map(({ id, version }) => `${id}@${version}`).join(" ");
    const known = kept.get(tenant);
    const inForce =
      known?.fingerprint === fingerprint
        ? known.inForce
        : { own: ownEngines(deps, { active, operated }), operated: alone, hasOwn: active.length > 0 };
    kept.delete(tenant);
    kept.set(tenant, { fingerprint, inForce, readAt, generation: before });
    const [oldest] = kept;
    if (kept.size > tenantsMax && oldest !== undefined) kept.delete(oldest[0]);
    return inForce;
  };
  return {
    of(tenant) {
      const known = kept.get(tenant);
      if (
        known !== undefined &&
        known.generation === generation &&
        monotonicMs(deps.clock) - known.readAt < staleMs
      )
        return Promise.resolve(known.inForce);
      const running = reading.get(tenant);
      if (running !== undefined) return running;
      const mine = read(tenant).finally(() => reading.delete(tenant));
      reading.set(tenant, mine);
      return mine;
    },
    operate(next) {
      operated = next;
      alone = ownEngines(deps, { active: [], operated });
      kept.clear();
      generation += 1;
    },
  };
}

/** All Cedar statements are one set, so that a permit of the operator and a forbid of the tenant meet; then each OPA. */
export function ownEngines(
  { language, outbound }: Pick<InForceDeps, "language" | "outbound">,
  { active, operated }: { readonly active: readonly rows.ActiveRow[]; readonly operated: Operated },
): PolicyEngine[] {
  const { cedar, actions } = language();
  const statements: Statement[] = [...operated.statements];
  const engines: PolicyEngine[] = [...operated.engines];
  for (const { id, kind, version, content } of active) {
    const name = `${id}@${version}`;
    if (kind === "cedar") statements.push(...statementsOf(cedar, { name, content }));
    else engines.push(opaEngine({ name, kind, content }, { actions, outbound }));
  }
  return statements.length === 0 ? engines : [cedar.engine([...bundled, ...statements]), ...engines];
}

function statementsOf(cedar: Cedar, { name, content }: { name: string; content: string }): Statement[] {
  const read = cedar.split(content);
  // It was valid when it was activated. What it would forbid is not known any more: nothing is allowed.
  if (read === undefined) return [{ id: `${name}#unread`, text: "forbid (principal, action, resource);" }];
  return read.map((text, at) => ({ id: `${name}#${at + 1}`, text }));
}

function opaEngine(
  { name, kind, content }: { name: string; kind: string; content: string },
  { actions, outbound }: { actions: Actions; outbound: Pick<Outbound, "request"> },
): PolicyEngine {
  const read = kind === "opa_data" ? parseOpaData(content, actions) : parseOpaRemote(content);
  if ("errors" in read) return broken(name, read.errors);
  return "url" in read ? opaRemoteEngine(name, { url: read.url, outbound }) : opaDataEngine(name, read);
}

const broken = (name: string, errors: readonly string[]): PolicyEngine => ({
  looksAt: { agent: false },
  decide: async () => ({
    decision: "deny",
    determining: [],
    errors: errors.map((error) => `${name}: ${error}`),
  }),
});
