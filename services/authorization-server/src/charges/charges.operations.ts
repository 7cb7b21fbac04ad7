import type { Clock, Id, Instant } from "@remit/kernel";
import type { Keyring, SigningKeys } from "@remit/platform/keys";
import type { Misuses } from "@remit/platform/misuse";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { type Actor, Problem } from "@remit/protocol";
import type { CreateCharge } from "@remit/protocol/contracts";
import type { Mandates } from "../mandates/index.ts";
import type { Receipts } from "../receipts/index.ts";
import { type AmendOrder, amend } from "./amending.ts";
import type { Billing } from "./billing.ts";
import { type CaptureOrder, capture, commit } from "./capture-charge.ts";
import * as rows from "./charges.sql.ts";
import type { Charge } from "./charges.ts";
import { type ChargingClient, createCharge } from "./create-charge.ts";
import { drive, release } from "./drive.ts";
import { type FailedRefund, lookAtFailedRefund } from "./failed-refunds.ts";
import {
  findMerchantCharge,
  listMerchantCharges,
  type MerchantCharge,
  viewOf,
} from "./merchant-charges.sql.ts";
import type { Merchants } from "./merchants.ts";
import { recoverCharge } from "./recovering.ts";
import { isUnderWay } from "./recovery.ts";
import { ownRefund, type RefundOrder, refund } from "./refund-charge.ts";
import { chargeNow } from "./transitions.ts";

export type ChargesDeps = {
  readonly db: Database;
  readonly issuer: string;
  readonly livemode: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Verifies mandates and access tokens: both are ours. */
  readonly keys: Pick<SigningKeys, "jwks">;
  /** Seals what a principal is asked. */
  readonly keyring: Pick<Keyring, "seal" | "open">;
  readonly mandates: Mandates;
  readonly receipts: Receipts;
  readonly billing: Billing;
  readonly merchants: Merchants;
  readonly misuses: Misuses;
  /** How long whoever drives a charge is left alone with it; 10 s by default. */
  readonly leaseMs?: number | undefined;
  /** How many times a tab's limit a payer may owe one merchant on all its tabs there; 20 by default. */
  readonly tabCredit?: number | undefined;
};

/** A charge of one merchant's client; another's is as unknown as none. */
export type OwnCharge = ChargingClient & { readonly id: Id<"charge"> };

/** What its reader may see of a charge, with its receipt once there is one. */
export type ShownCharge = { readonly charge: MerchantCharge; readonly receipt: string | undefined };

export type ChargePage = { readonly limit: number; readonly before: Id<"charge"> | undefined };

/** The four verbs and their reading, for merchants; reading alone for payers; recovery for the jobs. */
export type Charges = {
  create(by: ChargingClient, request: CreateCharge): Promise<Charge>;
  capture(own: OwnCharge, order: CaptureOrder): Promise<Charge>;
  commit(own: OwnCharge): Promise<Charge>;
  /** Adds tax or shipping to what is held, inside the mandate. */
  amend(own: OwnCharge, order: AmendOrder): Promise<Charge>;
  release(own: OwnCharge, because: string): Promise<Charge>;
  refund(own: OwnCharge, order: RefundOrder): Promise<Charge>;
  /** The charge as the given side sees it; undefined when it is not that side's. */
  show(side: ChargeSide, id: Id<"charge">): Promise<ShownCharge | undefined>;
  list(side: ChargeSide, page: ChargePage): Promise<ShownCharge[]>;
  /** All that is known of a charge, for who shows it to others or disputes it; undefined when it is not that side's. */
  whole(side: ChargeSide, id: Id<"charge">): Promise<Charge | undefined>;
  /** Gives back what a dispute was lost over: as the merchant would, once per key. */
  giveBack(charge: Pick<Charge, "payer" | "id">, order: RefundOrder): Promise<Charge>;
  /** The request to refund that was made with this key. */
  askedRefund(charge: Pick<Charge, "payer" | "id">, key: string): Promise<rows.AskedRefund | undefined>;
  /** What was given back since then, but for requests whose key begins with `except`. */
  refundedSince(charge: Pick<Charge, "payer" | "id">, at: Instant, except: string): Promise<bigint>;
  /** With its receipt, for an answer to who has just moved it. */
  shown(charge: Charge): Promise<ShownCharge>;
  /** Moves on a charge that nobody drives; when to look again, or undefined when it is over. */
  recover(tenant: Id<"tenant">, id: Id<"charge">): Promise<Instant | undefined>;
  /** Takes back a refund that came back to billing; when to look again, or undefined when it is over. */
  lookAtFailedRefund(of: FailedRefund): Promise<Instant | undefined>;
};

/** The payee's client sees its own charges; the payer's side its tenant's, or one agent's. */
export type ChargeSide =
  | { readonly side: "payee"; readonly tenant: Id<"tenant">; readonly client: string }
  | { readonly side: "payer"; readonly tenant: Id<"tenant">; readonly agent: string | undefined };

export function createCharges(deps: ChargesDeps): Charges {
  return {
    create: (by, request) => create(deps, by, request),
    capture: async (own, order) => capture(deps, await ownCharge(deps, own), order),
    commit: async (own) => commit(deps, await ownCharge(deps, own)),
    amend: async (own, order) => amend(deps, await ownCharge(deps, own), order),
    release: async (own, because) => releaseOwn(deps, await ownCharge(deps, own), { because, by: own }),
    refund: async (own, order) => {
      const charge = await ownCharge(deps, own);
      return refund(deps, charge, ownRefund(charge, order));
    },
    show: (side, id) => show(deps, side, id),
    whole: (side, id) => whole(deps, side, id),
    giveBack: async (charge, order) => refund(deps, await chargeNow(deps, charge), order),
    askedRefund: ({ payer, id }, key) => deps.db.of(payer).transaction((tx) => rows.findRefund(tx, id, key)),
    refundedSince: ({ payer, id }, at, except) =>
      deps.db.of(payer).transaction((tx) => rows.refundedSince(tx, id, { at, except })),
    list: (side, page) => list(deps, side, page),
    shown: (charge) =>
      charge.receipt === undefined
        ? Promise.resolve({ charge: viewOf(charge), receipt: undefined })
        : deps.db.of(charge.payee).transaction((tx) => withReceipt(deps, tx, viewOf(charge))),
    recover: (tenant, id) => recoverCharge(deps, tenant, id),
    lookAtFailedRefund: (of) => lookAtFailedRefund(deps, of),
  };
}

/** A charge made or found again, driven as far as it goes: `automatic` captures at once. */
async function create(deps: ChargesDeps, by: ChargingClient, request: CreateCharge): Promise<Charge> {
  const { charge, first } = await createCharge(deps, by, request);
  const held = isUnderWay(charge)
    ? await drive(deps, charge, { driver: "caller", ask: first ? "send" : "read" })
    : charge;
  const atOnce = held.state === "authorized" && held.captureMode === "automatic";
  if (!atOnce) return held;
  return capture(deps, held, { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined });
}

async function ownCharge(deps: ChargesDeps, { tenant, client, id }: OwnCharge): Promise<Charge> {
  const payer = await deps.db.of(tenant).transaction(async (tx) => {
    const isOwn = (await findMerchantCharge(tx, id, client)) !== undefined;
    return isOwn ? rows.tenantOfCharge(tx, id) : undefined;
  });
  if (payer === undefined) throw new Problem("not_found", { detail: "There is no such charge." });
  return chargeNow(deps, { payer, id });
}

const whole = (deps: ChargesDeps, side: ChargeSide, id: Id<"charge">): Promise<Charge | undefined> =>
  side.side === "payee"
    ? ownCharge(deps, { ...side, id }).catch(unlessUnknown)
    : deps.db.of(side.tenant).transaction(async (tx) => {
        const charge = await rows.findCharge(tx, id);
        return side.agent === undefined || side.agent === charge?.agent ? charge : undefined;
      });

function unlessUnknown(error: unknown): undefined {
  if (!(error instanceof Problem) || error.code !== "not_found") throw error;
}

async function releaseOwn(
  deps: ChargesDeps,
  charge: Charge,
  { because, by }: { because: string; by: ChargingClient },
): Promise<Charge> {
  const actor: Actor = { type: "merchant", id: by.client };
  switch (charge.state) {
    case "released":
    case "declined":
    case "expired":
      return charge;
    case "releasing":
      return drive(deps, charge, { driver: "recovery", ask: "read" });
    case "pending_approval":
    case "authorizing":
    case "authorized":
    case "committed":
      return release(deps, charge, { because, actor });
    case "capturing":
    case "captured":
    case "refunding":
    case "refunded":
      throw new Problem("charge_state_conflict", { extra: { charge_id: charge.id, status: charge.state } });
  }
}

async function withReceipt(
  deps: ChargesDeps,
  tx: Parameters<Receipts["jwtOf"]>[0],
  charge: MerchantCharge,
): Promise<ShownCharge> {
  const receipt = charge.receipt === undefined ? undefined : await deps.receipts.jwtOf(tx, charge.receipt);
  return { charge, receipt };
}

const show = (deps: ChargesDeps, side: ChargeSide, id: Id<"charge">): Promise<ShownCharge | undefined> =>
  deps.db.of(side.tenant).transaction(async (tx) => {
    if (side.side === "payee") {
      const own = await findMerchantCharge(tx, id, side.client);
      return own && withReceipt(deps, tx, own);
    }
    const charge = await rows.findCharge(tx, id);
    const isOurs = charge !== undefined && (side.agent === undefined || side.agent === charge.agent);
    return isOurs ? withReceipt(deps, tx, viewOf(charge)) : undefined;
  });

const list = (deps: ChargesDeps, side: ChargeSide, page: ChargePage): Promise<ShownCharge[]> =>
  deps.db.of(side.tenant).transaction(async (tx) => {
    const found =
      side.side === "payee"
        ? await listMerchantCharges(tx, { ...page, client: side.client })
        : (await rows.listCharges(tx, { ...page, agent: side.agent })).map(viewOf);
    const shown: ShownCharge[] = [];
    for (const charge of found) shown.push(await withReceipt(deps, tx, charge));
    return shown;
  });
