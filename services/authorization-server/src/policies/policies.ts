import { type Id, type Instant, newId } from "@remit/kernel";
import { type Database, type TenantTx, violates } from "@remit/platform/sql";
import { type Actor, type EventType, newEvent, Problem } from "@remit/protocol";
import type { PolicyKind } from "@remit/protocol/contracts";
import type { Actions } from "./actions.ts";
import type { Cedar } from "./cedar.ts";
import { parseOpaData, parseOpaRemote } from "./opa.ts";
import * as rows from "./policies.sql.ts";

export type Policy = {
  readonly id: Id<"policy">;
  readonly name: string;
  readonly kind: PolicyKind;
  /** The newest version. */
  readonly version: number;
  /** The version that decides. */
  readonly activeVersion: number | undefined;
  readonly createdAt: Instant;
  readonly changedAt: Instant;
};

export type Draft = { readonly kind: PolicyKind; readonly content: string };
export type By = { readonly actor: Actor; readonly now: Instant };

export type PolicyDeps = {
  readonly db: Database;
  /** What policies are validated with; the actions are known once every route is declared. */
  readonly language: () => { readonly cedar: Cedar; readonly actions: Actions };
  /** Refuses an address to which we would not connect. */
  readonly checkUrl: (url: string) => Promise<void>;
};

/** Told when what decides in a tenant changes, in the transaction of the change. */
export const policiesChannel = "policies";

const policiesMax = 100;
const activeMax = 20;
const versionsKept = 50;

/** Why a draft cannot decide anything; none if it can. */
export async function errorsIn(deps: PolicyDeps, { kind, content }: Draft): Promise<readonly string[]> {
  const { cedar, actions } = deps.language();
  if (kind === "cedar") return errorsOf(cedar.parse(content));
  if (kind === "opa_data") return errorsOf(parseOpaData(content, actions));
  const read = parseOpaRemote(content);
  if ("errors" in read) return read.errors;
  try {
    await deps.checkUrl(read.url);
    return [];
  } catch (error) {
    if (error instanceof Problem) return [error.detail ?? "the address is not one that we connect to"];
    throw error;
  }
}

const errorsOf = (read: object): readonly string[] =>
  "errors" in read && Array.isArray(read.errors) ? read.errors.map(String) : [];

async function requireValid(deps: PolicyDeps, draft: Draft): Promise<void> {
  const errors = await errorsIn(deps, draft);
  if (errors.length > 0) throw new Problem("policy_invalid", { detail: errors.join("; ").slice(0, 2000) });
}

export async function createPolicy(
  deps: PolicyDeps,
  tenant: Id<"tenant">,
  { name, by, ...draft }: Draft & { readonly name: string; readonly by: By },
): Promise<Policy> {
  await requireValid(deps, draft);
  const policy: Policy = {
    id: newId("policy"),
    name,
    kind: draft.kind,
    version: 1,
    activeVersion: undefined,
    createdAt: by.now,
    changedAt: by.now,
  };
  return naming(() =>
    deps.db.of(tenant).transaction(async (tx) => {
      await rows.lockPolicies(tx);
      if ((await rows.listPolicies(tx)).length >= policiesMax)
        throw new Problem("policy_limit_reached", { detail: `There are ${policiesMax} policies.` });
      await rows.insertPolicy(tx, policy);
      await rows.insertVersion(tx, versionOf(policy, draft.content, by));
      await record(tx, "policy.created", { policy, by });
      return policy;
    }),
  );
}

const versionOf = ({ id, version }: Policy, content: string, { actor, now }: By): rows.Version => ({
  policy: id,
  version,
  content,
  by: actor.id,
  at: now,
});

/** Saves another version. What decides goes on deciding until that one is activated. */
export async function changePolicy(
  deps: PolicyDeps,
  tenant: Id<"tenant">,
  change: {
    readonly id: Id<"policy">;
    readonly name: string | undefined;
    readonly content: string;
    readonly by: By;
  },
): Promise<Policy> {
  const { kind } = await deps.db.of(tenant).transaction((tx) => policyById(tx, change.id));
  await requireValid(deps, { kind, content: change.content });
  return naming(() =>
    deps.db.of(tenant).transaction(async (tx) => {
      await rows.lockPolicies(tx);
      const before = await policyById(tx, change.id);
      const name = change.name ?? before.name;
      const policy = { ...before, name, version: before.version + 1, changedAt: change.by.now };
      await rows.insertVersion(tx, versionOf(policy, change.content, change.by));
      await rows.savePolicy(tx, policy);
      await rows.forgetOldVersions(tx, policy, versionsKept);
      await record(tx, "policy.changed", { policy, by: change.by });
      return policy;
    }),
  );
}

async function naming<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (violates(error, "policies_tenant_id_name_key")) throw new Problem("policy_name_taken");
    throw error;
  }
}

/** Lets a version decide, from now on, or none. Validated again: there may be other calls than when it was saved. */
export async function activatePolicy(
  deps: PolicyDeps,
  tenant: Id<"tenant">,
  {
    id,
    version,
    by,
  }: { readonly id: Id<"policy">; readonly version: number | "newest" | "none"; readonly by: By },
): Promise<Policy> {
  const wanted = version === "none" ? undefined : await validVersion(deps, tenant, { id, version });
  return deps.db.of(tenant).transaction(async (tx) => {
    await rows.lockPolicies(tx);
    const before = await policyById(tx, id);
    if (wanted === before.activeVersion) return before;
    const policy = { ...before, activeVersion: wanted, changedAt: by.now };
    if (wanted !== undefined) {
      await requireRoom(tx, policy);
      // It may have been forgotten since it was read.
      if ((await rows.findVersion(tx, id, wanted)) === undefined) throw unknownVersion();
    }
    await rows.savePolicy(tx, policy);
    tx.notify(policiesChannel);
    await record(tx, wanted === undefined ? "policy.deactivated" : "policy.activated", { policy, by });
    return policy;
  });
}

async function validVersion(
  deps: PolicyDeps,
  tenant: Id<"tenant">,
  { id, version }: { readonly id: Id<"policy">; readonly version: number | "newest" },
): Promise<number> {
  const { policy, found, wanted } = await deps.db.of(tenant).transaction(async (tx) => {
    const policy = await policyById(tx, id);
    const wanted = version === "newest" ? policy.version : version;
    return { policy, wanted, found: await rows.findVersion(tx, id, wanted) };
  });
  if (found === undefined) throw unknownVersion();
  await requireValid(deps, { kind: policy.kind, content: found.content });
  return wanted;
}

const unknownVersion = (): Problem => new Problem("not_found", { detail: "The policy has no such version." });

async function requireRoom(tx: TenantTx, policy: Policy): Promise<void> {
  const others = (await rows.listPolicies(tx)).filter(
    ({ id, activeVersion }) => id !== policy.id && activeVersion !== undefined,
  );
  if (others.length >= activeMax)
    throw new Problem("policy_limit_reached", { detail: `${activeMax} policies are active.` });
  // Each call waits for it, up to a second.
  if (policy.kind === "opa_remote" && others.some(({ kind }) => kind === "opa_remote"))
    throw new Problem("policy_limit_reached", { detail: "Another OPA is asked already." });
}

export async function removePolicy(
  deps: PolicyDeps,
  tenant: Id<"tenant">,
  { id, by }: { readonly id: Id<"policy">; readonly by: By },
): Promise<void> {
  await deps.db.of(tenant).transaction(async (tx) => {
    await rows.lockPolicies(tx);
    const policy = await policyById(tx, id);
    const { count } = await rows.deletePolicy(tx, id);
    if (count === 0) throw new Problem("policy_active");
    await record(tx, "policy.removed", { policy, by });
  });
}

export const policiesOf = (db: Database, tenant: Id<"tenant">): Promise<Policy[]> =>
  db.of(tenant).transaction(rows.listPolicies);

export type Written = {
  readonly policy: Policy;
  readonly version: number;
  readonly content: string;
  readonly by: string;
};

/** A policy with the text of one of its versions: the newest, unless said. */
export const writtenPolicy = (
  db: Database,
  tenant: Id<"tenant">,
  { id, version }: { readonly id: Id<"policy">; readonly version: number | undefined },
): Promise<Written> =>
  db.of(tenant).transaction(async (tx) => {
    const policy = await policyById(tx, id);
    const wanted = version ?? policy.version;
    const found = await rows.findVersion(tx, id, wanted);
    if (found === undefined) throw unknownVersion();
    return { policy, version: wanted, content: found.content, by: found.made_by };
  });

/** What policies decided, newest first, before one of the decisions. */
export const decisionsOf = (
  db: Database,
  tenant: Id<"tenant">,
  window: Parameters<typeof rows.listDecisions>[1],
): Promise<rows.DecisionRow[]> => db.of(tenant).transaction((tx) => rows.listDecisions(tx, window));

async function policyById(tx: TenantTx, id: Id<"policy">): Promise<Policy> {
  const policy = await rows.findPolicy(tx, id);
  if (policy === undefined) throw new Problem("not_found", { detail: "There is no such policy." });
  return policy;
}

async function record(
  tx: TenantTx,
  type: EventType,
  { policy, by }: { readonly policy: Policy; readonly by: By },
): Promise<void> {
  const { id, kind, version, activeVersion = null } = policy;
  const payload = { kind, version, active_version: activeVersion };
  await tx.record(newEvent(type, { tenant: tx.tenant, actor: by.actor, subject: id, payload }, by.now));
}
