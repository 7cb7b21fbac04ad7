import { after, type Id, minuteMs, toRfc3339 } from "@remit/kernel";
import { createKeyring, kekOf } from "@remit/platform/keys";
import { createOutbound } from "@remit/platform/outbound";
import { peekOffer, publicJwkOf } from "@remit/protocol";
import type { NetworkDispute } from "@remit/protocol/contracts";
import { sha256b64url, signOffer } from "@remit/protocol/node";
import { expect } from "vitest";
import { settleTab } from "../../src/charges/settle-tab.ts";
import { openDispute } from "../../src/disputes/disputes.operations.ts";
import { exportMandate } from "../../src/exports/exports.operations.ts";
import { type Doer, withDisputes } from "./doer.ts";
import { doWithDispute, doWithExport, hearNetwork, type Place } from "./life-afters.ts";
import { answerFor, type Left } from "./life-ends.ts";
import { type LifeStep, pick, type Trouble, verbs, waitMs } from "./life-steps.ts";
import { type Mortality, mortalDatabase, mortalOutbound } from "./mortality.ts";
import { createRooms, recordingBy } from "./rooms.ts";
import {
  asMerchant,
  budgetOf,
  type ChargeRequest,
  giveMandate,
  newAgent,
  own,
  purchase,
  type TestAgent,
  type World,
} from "./world.ts";

type Held = { readonly id: Id<"mandate">; readonly jwt: string; readonly agent: TestAgent };
type Bought = { readonly request: ChargeRequest; readonly named: Set<Id<"charge">> };

class Died extends Error {
  override readonly name = "Died";
}

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const us = { type: "system", id: "test" } as const;
const person = { type: "account", id: "acc_ada" } as const;

type MandateKind = "buy" | "give" | "hand_on" | "narrow" | "suspend" | "resume" | "revoke" | "export";
type ChargeKind =
  | "again"
  | "answer"
  | "commit"
  | "recover"
  | "release"
  | "refund"
  | "amend"
  | "dispute"
  | "network"
  | "capture";

const fits: Partial<Record<LifeStep["kind"], readonly string[]>> = {
  answer: ["pending_approval"],
  commit: ["authorized"],
  capture: ["authorized", "committed"],
  release: ["authorized", "pending_approval"],
  amend: ["authorized"],
  refund: ["captured"],
  dispute: ["captured"],
  network: ["captured"],
  recover: ["authorizing", "capturing", "releasing", "refunding"],
};

/** Mandates of one principal, what is bought under them at one merchant, and all that may become of that, whoever dies meanwhile. */
export class Life {
  readonly #world: World;
  readonly #doer: Doer;
  readonly #fate = { left: Number.POSITIVE_INFINITY, dead: false };
  readonly #agents: TestAgent[];
  readonly #roots: Id<"mandate">[] = [];
  #mandates: Held[] = [];
  readonly #bought: Bought[] = [];
  readonly #delivered = new Set<Id<"charge">>();
  readonly #network = new Map<Id<"charge">, NetworkDispute>();
  readonly #close: () => Promise<void>;

  private constructor(world: World, agents: TestAgent[]) {
    this.#world = world;
    this.#agents = agents;
    const { clock, log, keys, kek, billing, directoryOrigin: directory, database } = world;
    const db = database.open({ poolMax: 6, ...recordingBy(clock) });
    const outbound = createOutbound({
      allow: [billing.origin, directory].map((at) => new URL(at).host),
      log,
    });
    const mortality: Mortality = {
      begin: () => {
        if (this.#fate.dead) throw new Died();
      },
      step: async () => {
        this.#fate.left -= 1;
        if (this.#fate.left <= 0) this.#fate.dead = true;
        if (this.#fate.dead) throw new Died();
      },
    };
    this.#doer = withDisputes(
      createRooms({
        db: mortalDatabase(db, mortality),
        clock,
        log,
        keys,
        keyring: createKeyring({ kek: kekOf(kek), clock }),
        outbound: mortalOutbound(outbound, mortality),
        billing: billing.origin,
        directory,
      }),
    );
    this.#close = async () => {
      await outbound.close();
      await db.close();
    };
  }

  static async begin(world: World): Promise<Life> {
    const life = new Life(world, [world.agent, await newAgent(world.db, world)]);
    await life.#give();
    await life.#give();
    return life;
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #give(): Promise<void> {
    const [agent] = this.#agents;
    if (agent === undefined) return;
    const given = await giveMandate(this.#world, {
      amount_minor: 30_000,
      step_up: [{ above_minor: 3_500 }],
    });
    this.#roots.push(given.id);
    this.#mandates.push({ ...given, agent });
  }

  /** What it answers or throws is for the caller; what must hold whatever happens is checked after it. */
  async take(step: LifeStep): Promise<void> {
    this.#arm(step.trouble);
    await this.#do(step).catch((error: unknown) => {
      const text = String(Object(error).code ?? Object(error).message);
      if (!(error instanceof Died)) expect(text, step.kind).not.toMatch(/invariant|internal|TypeError/i);
      if (text === "mandate_expired" || text === "mandate_revoked") this.#forget(step);
    });
    this.#arm({ kind: "none" });
    if (this.#mandates.length < 2) await this.#give();
    await this.#assertAlways();
  }

  #arm(trouble: Trouble): void {
    const { billing } = this.#world;
    this.#fate.dead = false;
    this.#fate.left = trouble.kind === "dies" ? trouble.at : Number.POSITIVE_INFINITY;
    for (const verb of verbs) billing.fail(verb, "lost", 0);
    if (trouble.kind === "stumbles") billing.fail(trouble.verb, trouble.fault);
  }

  #forget(step: LifeStep): void {
    const gone = pick(this.#mandates, step);
    this.#mandates = this.#mandates.filter((one) => one !== gone);
  }

  async #do(step: LifeStep): Promise<unknown> {
    switch (step.kind) {
      case "wait":
        return this.#world.clock.advance(waitMs(step));
      case "buy":
      case "give":
      case "hand_on":
      case "narrow":
      case "suspend":
      case "resume":
      case "revoke":
      case "export":
        return this.#doWithMandate(step.kind, step);
      case "use":
      case "close":
        return doWithExport(this.#place(), await this.#every(), step);
      case "settle_tab":
        return this.#settle(step);
      case "accept":
      case "withdraw":
      case "look":
        return doWithDispute(this.#place(), await this.#every(), step);
      case "again":
      case "answer":
      case "commit":
      case "recover":
      case "release":
      case "refund":
      case "amend":
      case "dispute":
      case "network":
      case "capture":
        return this.#doWithCharge(step.kind, step);
    }
  }

  async #doWithMandate(kind: MandateKind, step: LifeStep): Promise<unknown> {
    const { db, mandates, chargesDeps } = this.#doer;
    const { payer, clock, operator } = this.#world;
    const held = pick(this.#mandates, step);
    if (kind === "give") return this.#mandates.length < 6 ? this.#give() : undefined;
    if (held === undefined) return undefined;
    const why = { because: "test", actor: us };
    const { id } = held;
    switch (kind) {
      case "buy":
        return this.#buy(held, step);
      case "hand_on": {
        const to = this.#agents.find((agent) => agent !== held.agent) ?? held.agent;
        const handed = await db.of(payer).transaction((tx) =>
          mandates.handOnWithin(tx, {
            parent: id,
            by: held.agent.id,
            to: { agent: to.id, tenant: operator, holder: publicJwkOf(to.dpop) },
            asked: { amount_minor: step.part * 8 },
            more: {},
            now: clock.now(),
          }),
        );
        return this.#mandates.push({ id: handed.id, jwt: handed.jwt, agent: to });
      }
      case "resume":
        return db.of(payer).transaction(async (tx) => {
          for (const one of this.#mandates) await mandates.resumeWithin(tx, one.id, why);
        });
      case "narrow": {
        const { cap } = await budgetOf(this.#world, id);
        const to = { amount_minor: Math.max(1, Number(cap / 10_000n) - Math.ceil(step.part / 20)) };
        return db.of(payer).transaction((tx) => mandates.narrowWithin(tx, id, { to, actor: us }));
      }
      case "export": {
        const asked = {
          kind: "ap2",
          open_checkout_digest: sha256b64url("checkout"),
          amount_minor: step.part * 2,
        } as const;
        const deps = { db, clock, keys: chargesDeps.keys as World["keys"] }; // signs as well, in these rooms
        const exporting = { mandate: id, agent: undefined, asked, actor: us, keep: async () => undefined };
        return exportMandate(deps, payer, exporting);
      }
      case "suspend":
      case "revoke": {
        const change = kind === "suspend" ? "suspendWithin" : "revokeWithin";
        return db.of(payer).transaction((tx) => mandates[change](tx, id, why));
      }
    }
  }

  async #buy({ agent, ...mandate }: Held, { part }: LifeStep): Promise<void> {
    const capture = part % 3 === 0 ? "automatic" : "manual";
    const tab = part % 2 === 0;
    const amount = tab ? 1 + (part % 190) : 1 + part * 4;
    const offer = tab ? { tab: true, tab_minor: 200 } : { commits: part % 5 === 0 };
    const request = purchase(this.#world, { mandate, agent, amount, offer, request: { capture } });
    const bought = { request, named: new Set<Id<"charge">>() };
    this.#bought.push(bought);
    await this.#post(bought);
  }

  async #post({ request, named }: Bought): Promise<void> {
    const charge = await this.#doer.charges.create(asMerchant(this.#world), request);
    named.add(charge.id);
    if (charge.state === "captured" && charge.captureMode === "automatic") this.#delivered.add(charge.id);
  }

  async #doWithCharge(kind: ChargeKind, step: LifeStep): Promise<unknown> {
    const { charges, disputes } = this.#doer;
    const bought = await this.#fitting(step);
    if (bought === undefined) return undefined;
    if (kind === "again") return this.#post(bought);
    const [id] = [...bought.named];
    if (id === undefined) return undefined;
    const mine = own(this.#world, id);
    switch (kind) {
      case "answer":
        return answerFor(this.#world, this.#doer, {
          charge: id,
          verb: step.part % 3 === 0 ? "deny" : "approve",
        });
      case "commit":
        return charges.commit(mine);
      case "recover":
        return charges.recover(this.#world.payer, id);
      case "release":
        return charges.release(mine, "cancelled");
      case "refund":
        return charges.refund(mine, { key: `r${step.at}`, amountMinor: step.part });
      case "amend":
        return charges.amend(mine, { offer: this.#taxed(bought.request, step.part) });
      case "dispute":
        return openDispute(disputes, this.#disputeOf(id));
      case "network":
        return hearNetwork(this.#place(), this.#network, {
          charge: id,
          decided: step.part % 2 === 0 ? "lost" : "won",
        });
      case "capture": {
        const { state } = await charges.capture(mine, order);
        if (state === "captured") this.#delivered.add(id);
        return state;
      }
    }
  }

  /** Mostly one in a state in which the step has something to do; now and then any. */
  async #fitting(step: LifeStep): Promise<Bought | undefined> {
    const states = fits[step.kind];
    if (states === undefined || step.part % 5 === 0) return pick(this.#bought, step);
    const found = await this.#rows<{ id: Id<"charge"> }>(
      "select id from charges where mandate_id = any($1) and state = any($2)",
      await this.#every(),
      states,
    );
    const ids = new Set(found.map(({ id }) => id));
    return pick(
      this.#bought.filter(({ named }) => [...named].some((id) => ids.has(id))),
      step,
    );
  }

  #taxed({ offer: jws }: ChargeRequest, part: number): string {
    const offer = peekOffer(jws);
    const tax = 1 + (part % 300);
    const now = this.#world.clock.now();
    return signOffer(this.#world.merchant.offerKey, {
      ...offer,
      amount_minor: offer.amount_minor + tax,
      tax_minor: tax,
      issued_at: toRfc3339(now),
      expires_at: toRfc3339(after(now, 5 * minuteMs)),
    });
  }

  #disputeOf(charge: Id<"charge">) {
    const said = { reason: "not_delivered", statement: "Nothing came.", actor: person };
    return { tenant: this.#world.payer, charge, amountMinor: undefined, ...said };
  }

  async #settle(step: LifeStep): Promise<unknown> {
    const tabs = await this.#rows<{ id: Id<"tab"> }>(
      "select id from tabs where mandate_id = any($1) and state <> 'settled' order by id",
      await this.#every(),
    );
    const tab = pick(tabs, step);
    return tab && settleTab(this.#doer.chargesDeps, this.#world.payer, tab.id);
  }

  #place(): Place {
    return { world: this.#world, doer: this.#doer };
  }

  #rows<R>(text: string, ...values: unknown[]): Promise<R[]> {
    return this.#world.database.asAdmin<R>(text, values);
  }

  /** Also those that were handed on by who died before it could say so. */
  async #every(): Promise<Id<"mandate">[]> {
    const found = await this.#rows<{ id: Id<"mandate"> }>(
      "select id from mandates where id = any($1) or ancestors && $1::text[]",
      this.#roots,
    );
    return found.map(({ id }) => id);
  }

  /** At every step: no budget is beyond its cap, and what was delivered has been taken (I2, I4). */
  async #assertAlways(): Promise<void> {
    const beyond = await this.#rows("select 1 from mandate_budgets where held + spent > cap");
    expect(beyond, "I2").toEqual([]);
    if (this.#delivered.size === 0) return;
    const missing = await this.#rows(
      `select id, state from charges where id = any($1)
         and (state not in ('captured', 'refunding', 'refunded') or receipt_id is null)`,
      [...this.#delivered],
    );
    expect(missing, "I4").toEqual([]);
  }

  /** What is to be looked after, and was named, once it is over. */
  async left(): Promise<Left> {
    const presented = this.#bought.map(({ named }) => named.size);
    return { every: await this.#every(), roots: this.#roots, presented };
  }
}
