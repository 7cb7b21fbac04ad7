import { createRequire } from "node:module";
import type { EntityJson, PolicySet, StatefulAuthorizationCall } from "@cedar-policy/cedar-wasm/nodejs";
import { invariant, toRfc3339 } from "@remit/kernel";
import type { Actions } from "./actions.ts";
import { tooComplex } from "./cedar-limits.ts";
import { cedarSchema, namespace } from "./cedar-schema.ts";
import { createKeptAnswers, type KeptAnswers } from "./kept-answers.ts";
import type { AgentFacts, Entity, PolicyAnswer, PolicyEngine, PolicyRequest } from "./port.ts";

type Wasm = typeof import("@cedar-policy/cedar-wasm/nodejs");

/** One permit or forbid, under the name that decisions give it. */
export type Statement = { readonly id: string; readonly text: string };

export type Cedar = {
  readonly schema: string;
  /** The statements of a text, or why it is none that we take. */
  parse(text: string): { readonly statements: readonly string[] } | { readonly errors: readonly string[] };
  /** The statements of a text that was valid when it was saved; undefined if it cannot be parsed any more. */
  split(text: string): readonly string[] | undefined;
  /** Statements together: deny by default, a forbid wins. */
  engine(statements: readonly Statement[]): PolicyEngine;
};

const errorsMax = 10;

/**
 * Cedar as WebAssembly. It is loaded when it is first needed: most installations and tenants have no policy of their own,
 * and a scope map needs none of it. Whatever makes the module trap costs this one answer: a fresh one is loaded.
 */
export function createCedar(actions: Actions, setsMax = 256, answersMax = 20_000): Cedar {
  const wasm = createWasm(setsMax);
  const answers = createKeptAnswers(answersMax);
  const schema = cedarSchema(actions);
  return {
    schema,
    parse(text) {
      const complex = tooComplex(text);
      if (complex !== undefined) return { errors: [complex] };
      return wasm.use((cedar) => parseWith(cedar, { text, schema })) ?? { errors: ["it cannot be parsed"] };
    },
    split(text) {
      const parts = wasm.use((cedar) => cedar.policySetTextToParts(text));
      return parts?.type === "success" ? parts.policies : undefined;
    },
    engine: (statements) => engineOf(wasm, { actions, statements, answers: answers.ofNext() }),
  };
}

type Parsed = { readonly statements: readonly string[] } | { readonly errors: readonly string[] };

function parseWith(cedar: Wasm, { text, schema }: { text: string; schema: string }): Parsed {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === "failure")
    return { errors: parts.errors.slice(0, errorsMax).map(({ message }) => message) };
  if (parts.policy_templates.length > 0)
    return { errors: ["templates (?principal, ?resource) are not taken"] };
  if (parts.policies.length === 0) return { errors: ["there is no permit and no forbid"] };
  const staticPolicies = Object.fromEntries(parts.policies.map((policy, at) => [`#${at + 1}`, policy]));
  const checked = cedar.validate({
    schema,
    policies: { staticPolicies },
    validationSettings: { mode: "strict" },
  });
  if (checked.type === "failure")
    return { errors: checked.errors.slice(0, errorsMax).map(({ message }) => message) };
  const errors = checked.validationErrors.map(({ policyId, error }) => `${policyId}: ${error.message}`);
  return errors.length > 0 ? { errors: errors.slice(0, errorsMax) } : { statements: parts.policies };
}

type Module = {
  /** Undefined when the module trapped; the next use has a fresh one. */
  use<R>(work: (cedar: Wasm) => R): R | undefined;
  /** Runs with this set prepared. Of those that were not used for longest, the module forgets all but a number. */
  withSet<R>(owner: object, set: PolicySet, work: (cedar: Wasm, name: string) => R): R | undefined;
};

function createWasm(setsMax: number): Module {
  const require = createRequire(import.meta.url);
  const id = require.resolve("@cedar-policy/cedar-wasm/nodejs");
  let loaded: Wasm | undefined;
  const slots = new Map<object, string>();
  const self: Module = {
    use(work) {
      // The package's own types stand for what its CommonJS exports.
      loaded ??= require(id) as Wasm;
      try {
        return work(loaded);
      } catch {
        // A trap leaves the module's memory as it fell: nothing of it is used again.
        delete require.cache[id];
        loaded = undefined;
        slots.clear();
        return undefined;
      }
    },
    withSet: (owner, set, work) =>
      self.use((cedar) => {
        const name = slots.get(owner) ?? freeSlot(slots, setsMax);
        if (!slots.has(owner)) {
          const prepared = cedar.preparsePolicySet(name, set);
          invariant(prepared.type === "success", "policies that were validated can be prepared");
        }
        slots.delete(owner);
        slots.set(owner, name);
        return work(cedar, name);
      }),
  };
  return self;
}

function freeSlot(slots: Map<object, string>, setsMax: number): string {
  if (slots.size < setsMax) return `set-${slots.size}`;
  const [oldest] = slots;
  invariant(oldest !== undefined, "a full map has an oldest entry");
  slots.delete(oldest[0]);
  return oldest[1];
}

function engineOf(
  wasm: Module,
  {
    actions,
    statements,
    answers,
  }: { actions: Actions; statements: readonly Statement[]; answers: KeptAnswers },
): PolicyEngine {
  const set: PolicySet = { staticPolicies: Object.fromEntries(statements.map(({ id, text }) => [id, text])) };
  const owner = {};
  let looks: Looks | undefined;
  const looked = (): Looks =>
    (looks ??= wasm.use((cedar) => looksOf(cedar, statements)) ?? everythingOf(statements));
  return {
    get looksAt() {
      return looked();
    },
    async decide(request) {
      // What looks at the moment or the address hardly ever comes again.
      const key = looked().context ? undefined : keyOf(request, looked());
      const known = key === undefined ? undefined : answers.get(key);
      if (known !== undefined) return known;
      const call = callOf(request, actions);
      const answer = wasm.withSet(owner, set, (cedar, name) =>
        answerOf(cedar.statefulIsAuthorized({ ...call, preparsedPolicySetId: name }), looked().forbids),
      );
      if (answer === undefined) return denied("Cedar failed");
      if (key !== undefined) answers.set(key, answer);
      return answer;
    },
  };
}

const denied = (error: string): PolicyAnswer => ({ decision: "deny", determining: [], errors: [error] });

function answerOf(
  said: ReturnType<Wasm["statefulIsAuthorized"]>,
  forbids: ReadonlySet<string>,
): PolicyAnswer {
  if (said.type === "failure") return denied(said.errors[0]?.message ?? "the request could not be evaluated");
  const { decision, diagnostics } = said.response;
  const errors = diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`);
  // Cedar passes over a statement that fails. A forbid that could not be evaluated might have forbidden.
  const failed = diagnostics.errors.map(({ policyId }) => policyId).filter((id) => forbids.has(id));
  if (decision === "allow" && failed.length > 0) return { decision: "deny", determining: failed, errors };
  return { decision, determining: diagnostics.reason, errors };
}

/** What answers can depend on, read off the statements: calls that differ in nothing else get the same answer. */
type Looks = {
  readonly agent: boolean;
  readonly resource: boolean;
  readonly context: boolean;
  readonly forbids: ReadonlySet<string>;
};

/** Where the statements could not be read: any of them may be a forbid. */
const everythingOf = (statements: readonly Statement[]): Looks => ({
  agent: true,
  resource: true,
  context: true,
  forbids: new Set(statements.map(({ id }) => id)),
});

function looksOf(cedar: Wasm, statements: readonly Statement[]): Looks {
  const read = statements.map(({ id, text }) => {
    const said = cedar.policyToJson(text);
    invariant(said.type === "success", "a policy that was validated can be read");
    return { id, policy: said.json };
  });
  const conditions = JSON.stringify(read.map(({ policy }) => policy.conditions));
  const agent = conditions.includes('{"Var":"resource"}') || conditions.includes('{"Var":"principal"}');
  return {
    agent,
    resource:
      agent ||
      read.some(({ policy: { resource } }) => !["All", "is"].includes(resource.op) || "in" in resource),
    context: conditions.includes('{"Var":"context"}'),
    forbids: new Set(read.filter(({ policy }) => policy.effect === "forbid").map(({ id }) => id)),
  };
}

// Statements see neither the client nor the actors: each is asked about as a principal.
function keyOf(
  { at: _at, ip: _ip, resource, client: _client, actors: _actors, ...rest }: PolicyRequest,
  looks: Looks,
): string {
  const seen = looks.resource ? resource : resource.type;
  return JSON.stringify([rest, seen]);
}

const uid = ({ type, id }: Entity): { type: string; id: string } => ({ type: `${namespace}::${type}`, id });

const typeOfPrincipal = { agent: "Agent", client: "Client", account: "Account", service: "Service" } as const;

type CedarCall = Omit<StatefulAuthorizationCall, "preparsedPolicySetId">;

function callOf(request: PolicyRequest, actions: Actions): CedarCall {
  const { tenant, principal, resource, ip, at } = request;
  const action = actions.get(request.action);
  invariant(action !== undefined, "what is decided is an action that there is");
  const organization = { type: "Organization", id: tenant };
  const who = { type: typeOfPrincipal[principal.type], id: principal.id };
  const what = uid({ type: "Action", id: action.name });
  return {
    principal: uid(who),
    action: what,
    resource: uid(resource),
    context: {
      method: action.method,
      ip: { __extn: { fn: "ip", arg: ip.replace(/^::ffff:/, "") } },
      time: { __extn: { fn: "datetime", arg: toRfc3339(at) } },
    },
    // Policies were validated against the schema, and requests are built from the same actions.
    validateRequest: false,
    entities: [
      ...entitiesOf(request, { who, organization }),
      { uid: what, attrs: {}, parents: action.groups.map((id) => uid({ type: "Action", id })) },
    ],
  };
}

/** The principal may be the resource too: an agent that reads itself is one entity with what is known of both. */
function entitiesOf(
  { principal, resource }: PolicyRequest,
  { who, organization }: { who: Entity; organization: Entity },
): EntityJson[] {
  const { scopes, bound, acr, agent } = principal;
  const whoAttrs = {
    scopes: [...scopes],
    bound,
    ...(who.type === "Account" && acr !== undefined ? { acr } : {}),
  };
  const same = who.type === resource.type && who.id === resource.id;
  const one = { uid: uid(who), attrs: { ...whoAttrs, ...factsOf(agent) }, parents: [uid(organization)] };
  if (same) return [one];
  const parents = resource.within.map((entity) => uid(entity));
  return [one, { uid: uid(resource), attrs: factsOf(resource.agent), parents }];
}

function factsOf(agent: AgentFacts | undefined): EntityJson["attrs"] {
  if (agent === undefined) return {};
  const { capabilities, owner, ...facts } = agent;
  return { ...facts, capabilities: [...capabilities], ...(owner === undefined ? {} : { owner }) };
}
