import { invariant, unreachable } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { Actor } from "@remit/protocol";
import { askHolder } from "./asking.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import {
  type Charge,
  type ChargeState,
  type Driver,
  type Move,
  moveOn,
  type Seen,
  type Verb,
} from "./charges.ts";
import { driveOnTab } from "./on-tab.ts";
import {
  authorize,
  decline,
  finishCapture,
  finishRefund,
  finishRelease,
  refuseRefund,
  startRelease,
} from "./transitions.ts";

const stepsMax = 6;

/** What a charge in an `-ing` state has set out to tell billing. */
const verbOf: Partial<Readonly<Record<ChargeState, Verb>>> = {
  authorizing: "hold",
  capturing: "capture",
  releasing: "release",
  refunding: "refund",
};

export type Drive = {
  readonly driver: Driver;
  /** `send` right after the intent was written; `read` when somebody else may have sent it before. */
  readonly ask: "send" | "read";
};

/**
 * Takes a charge out of its `-ing` state as far as billing's answers allow. No transaction is open during a call. An
 * unknown outcome is read back once and then left as it is: the caller is told so, and recovery goes on.
 */
export async function drive(deps: ChargesDeps, start: Charge, { driver, ask }: Drive): Promise<Charge> {
  if (start.tabLimit !== undefined) return driveOnTab(deps, start, driver);
  let charge = start;
  let readBack = ask === "read";
  let seen = ask === "send" ? await tell(deps, charge) : await deps.billing.read(charge);
  for (let step = 0; step < stepsMax; step++) {
    const move = moveOn(charge, seen, driver);
    if (move.kind === "wait") {
      if (readBack || seen.kind !== "unknown") return charge;
      readBack = true;
      seen = await deps.billing.read(charge);
    } else if (move.kind === "send") {
      seen = await deps.billing.send(charge, move.verb);
    } else if (move.kind === "alarm") {
      deps.log.error(
        { charge: charge.id, state: charge.state, because: move.because },
        "a charge needs a person",
      );
      return charge;
    } else if (
      move.kind === "declined" &&
      seen.kind === "refused" &&
      readBack &&
      !(await letGo(deps, charge))
    ) {
      return charge;
    } else {
      charge = await follow(deps, charge, { move, seen });
      if (charge.state !== "releasing") return charge;
      await failpoint("charge.releasing");
      seen = await tell(deps, charge);
    }
  }
  return charge;
}

function tell(deps: ChargesDeps, charge: Charge): Promise<Seen> {
  const verb = verbOf[charge.state];
  invariant(verb !== undefined, "only a charge on its way has something to tell billing");
  return deps.billing.send(charge, verb);
}

/**
 * Whether billing will hold nothing any more. A hold that was sent twice may have been refused the second time only:
 * the first is still on its way, and must find a release.
 */
async function letGo(deps: ChargesDeps, charge: Charge): Promise<boolean> {
  const seen = await deps.billing.send(charge, "release");
  return seen.kind === "payment" && (seen.payment.state === "released" || seen.payment.state === "declined");
}

type Transition = Exclude<Move, { readonly kind: "wait" | "send" | "alarm" }>;

async function follow(
  deps: ChargesDeps,
  charge: Charge,
  { move, seen }: { move: Transition; seen: Seen },
): Promise<Charge> {
  switch (move.kind) {
    case "authorized": {
      const authorized = await authorize(deps, charge, paymentIn(seen));
      await failpoint("charge.authorized");
      return authorized;
    }
    case "captured": {
      const captured = await finishCapture(deps, charge, paymentIn(seen));
      await failpoint("charge.captured");
      return captured;
    }
    case "declined":
      return decline(deps, charge, move.because);
    case "release":
      return startRelease(deps, charge, { because: move.because });
    case "ask_holder":
      return (
        (await askHolder(deps, charge, paymentIn(seen))) ??
        startRelease(deps, charge, { because: "authentication_required" })
      );
    case "released":
      return finishRelease(deps, charge);
    case "refunded":
      return finishRefund(deps, charge);
    case "refund_refused":
      return refuseRefund(deps, charge, move.because);
    default:
      return unreachable(move);
  }
}

function paymentIn(seen: Seen) {
  invariant(seen.kind === "payment", "money moves on what billing says of a payment");
  return seen.payment;
}

/** Sends a charge back, from any state before its money has moved. */
export async function release(
  deps: ChargesDeps,
  charge: Charge,
  why: { because: string; actor?: Actor },
): Promise<Charge> {
  const releasing = await startRelease(deps, charge, why);
  if (releasing.state !== "releasing") return releasing;
  await failpoint("charge.releasing");
  return drive(deps, releasing, { driver: "recovery", ask: "send" });
}
