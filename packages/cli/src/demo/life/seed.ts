import { access } from "node:fs/promises";
import path from "node:path";
import { freePortBase, logsAt, runningIn, startEmbedded } from "@remit/embedded";
import { type Clock, dayMs, instantOf, systemClock, toRfc3339 } from "@remit/kernel";
import { good, note, print } from "../../output.ts";
import { withInstance } from "../../running/index.ts";
import { version, type Where } from "../../where.ts";
import { closeMonth, fillShelf, setFees, settleIn } from "./around.ts";
import { type Buyer, buyOn, giveBack, hireBuyers, leaveQuestion } from "./buyers.ts";
import { type StoryClock, storyClock } from "./clock.ts";
import { type Doors, openDoors, type SecretAgent } from "./doors.ts";
import { fates, handOn, registerFleet, work } from "./fleet.ts";
import { daysOfLife, work as shifts } from "./plan.ts";

/**
 * Fills an instance with a month of life, all of it through the APIs that everybody has. Where nothing has lived yet, the
 * services are started with a clock that begins a month ago and is moved on day by day, so that every time in them, and in
 * what they sign, is of that day. Where something has, all of it happens today: a log does not go back.
 */
export async function seedLife(where: Where): Promise<void> {
  const dataDir = path.resolve(where.dataDir);
  const fresh = (await runningIn(dataDir)) === undefined && !(await exists(path.join(dataDir, "dev.json")));
  if (!fresh) return withInstance(where, (dev) => live(openDoors(dev, systemClock), undefined));
  const clock = storyClock(daysOfLife);
  const embedded = await startEmbedded({
    dataDir,
    version,
    clock,
    log: logsAt("error"),
    portBase: where.portBase ?? (await freePortBase()),
    ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
    progress: (step) => note(`Starting a month ago: ${step}`),
  });
  try {
    await live(openDoors(embedded.dev, clock), clock);
  } finally {
    await embedded.close();
  }
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

async function live(doors: Doors, clock: StoryClock | undefined): Promise<void> {
  note("Registering the fleet, and what it sells");
  await setFees(doors);
  const agents = await registerFleet(doors);
  await fillShelf(doors);
  await settleIn(doors);
  note("Three agents ask for mandates");
  const hired = await hireBuyers(doors);
  const bought: string[] = [];
  for (let ago = daysOfLife - 1; ago >= 0; ago--) {
    const day = daysOfLife - ago;
    clock?.moveTo(ago, 8 + (day % 3));
    bought.push(...(await oneDay(doors, { agents, hired }, day)));
    if (day % 7 === 0) await returnOne(doors, bought);
    note(`Day ${day} of ${daysOfLife}: ${bought.length} purchases so far`);
  }
  clock?.moveToNow();
  await fates(doors, agents);
  await handOn(doors, agents);
  const asking = hired.at(-1);
  if (asking !== undefined) await leaveQuestion(doors, asking);
  await closeMonth(doors, monthBefore(doors.clock)).catch((error: unknown) =>
    note(`No month was closed: ${String(error)}`),
  );
  print(
    good(`${agents.length} agents, ${bought.length} purchases, one question that waits: ${doors.dev.wallet}`),
  );
}

type Cast = { readonly agents: readonly SecretAgent[]; readonly hired: readonly Buyer[] };

async function oneDay(doors: Doors, { agents, hired }: Cast, day: number): Promise<string[]> {
  const weekend = day % 7 > 4;
  const atWork = shifts.flatMap(([place, times]) =>
    Array.from({ length: weekend ? 1 : times }, () => agents[place]),
  );
  await work(
    doors,
    atWork.filter((agent) => agent !== undefined),
  );
  const bought: string[] = [];
  for (const buyer of hired) bought.push(...(await buyOn(doors, buyer, day)));
  return bought;
}

async function returnOne(doors: Doors, bought: readonly string[]): Promise<void> {
  const charge = bought.at(-2);
  if (charge !== undefined) await giveBack(doors, charge);
}

/** The month that was over last. */
function monthBefore(clock: Clock): string {
  const [year = "", month = ""] = toRfc3339(clock.now()).split("-");
  const first = Date.parse(`${year}-${month}-01T00:00:00Z`);
  return toRfc3339(instantOf(first - dayMs)).slice(0, 7);
}
