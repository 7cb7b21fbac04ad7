import type { DevFile } from "@remit/embedded";
import { dayMs, instantOf, momentOf, msSince, systemClock, toRfc3339 } from "@remit/kernel";
import { good, note, print } from "../../output.ts";
import { withInstance } from "../../running/index.ts";
import type { Where } from "../../where.ts";
import { agreeOnPlan, closeMonth, fillShelf, setFees, settleIn } from "./around.ts";
import { type Buyer, buyOn, giveBack, hireBuyers, leaveQuestion } from "./buyers.ts";
import { type Doors, openDoors, type SecretAgent } from "./doors.ts";
import { fates, handOn, mistake, registerFleet, work } from "./fleet.ts";
import { openPayoutAccount, payOut } from "./payouts.ts";
import { daysOfLife, work as shifts } from "./plan.ts";
import { denyOldest, haveDoubts, settleAsPrincipal } from "./principal.ts";
import { takeSeat } from "./seat.ts";

/**
 * Fills an instance with days of life, all of it through the APIs that everybody has, and so all of it today:
 * services whose clock is not the database's sign nothing, and a log does not go back. Again, it adds as many days
 * of purchases to the same fleet.
 */
export const seedLife = (where: Where): Promise<void> => withInstance(where, (dev) => fillWithLife(dev));

export async function fillWithLife(dev: DevFile, days = daysOfLife): Promise<void> {
  const doors = openDoors(dev);
  const begun = momentOf(systemClock);
  note("The fleet, and what it sells");
  await agreeOnPlan(doors);
  await setFees(doors);
  const agents = await registerFleet(doors);
  await fillShelf(doors);
  await settleIn(doors);
  note("What its principal decides, and where the shop is paid");
  const seat = await takeSeat(dev);
  await settleAsPrincipal(seat);
  await openPayoutAccount(seat, dev);
  note("Three agents ask for mandates");
  const hired = await hireBuyers(doors);
  const asks = hired.at(-1);
  if (asks !== undefined) await leaveQuestion(doors, asks);
  await denyOldest(seat);
  const bought: string[] = [];
  for (let day = 1; day <= days; day++) {
    bought.push(...(await oneDay(doors, { agents, hired }, day)));
    if (day % 7 === 0) await returnOne(doors, bought);
    note(`${day} of ${days} days: ${bought.length} purchases`);
  }
  await mistake(doors, agents);
  await fates(doors, agents);
  await handOn(doors, agents);
  await haveDoubts(seat, {
    shop: dev.tenant.id,
    mandates: hired.map(({ mandate }) => mandate),
    paid: bought.slice(-6, -4),
  });
  await payOut(dev);
  if (asks !== undefined) await leaveQuestion(doors, asks);
  await closeMonth(doors, monthBefore());
  const seconds = Math.round(msSince(begun, systemClock) / 1000);
  print(
    good(
      `${agents.length} agents, ${bought.length} purchases, one question that waits, in ${seconds} s: ${dev.wallet}`,
    ),
  );
}

type Cast = { readonly agents: readonly SecretAgent[]; readonly hired: readonly Buyer[] };

async function oneDay(doors: Doors, { agents, hired }: Cast, day: number): Promise<string[]> {
  const atWork = shifts.flatMap(([place, every]) => (day % every === 0 ? [agents[place]] : []));
  const [bought] = await Promise.all([
    Promise.all(hired.map((buyer) => buyOn(doors, buyer, day))),
    work(
      doors,
      atWork.filter((agent) => agent !== undefined),
    ),
  ]);
  return bought.flat();
}

async function returnOne(doors: Doors, bought: readonly string[]): Promise<void> {
  const charge = bought.at(-2);
  if (charge !== undefined) await giveBack(doors, charge);
}

/** The month that was over last. */
function monthBefore(): string {
  const [year = "", month = ""] = toRfc3339(systemClock.now()).split("-");
  return toRfc3339(instantOf(Date.parse(`${year}-${month}-01T00:00:00Z`) - dayMs)).slice(0, 7);
}
