import { type Crossing } from "../charges/index.ts";
import { comeBack, type DisputesDeps, moveBoth, noteBoth, record } from "./disputes.operations.ts";
import * as rows from "./disputes.sql.ts";
import { type Dispute, isOpen, moveOf } from "./disputes.ts";

const system = { type: "system", id: "authorization-server" } as const;

/**
 * The card network has said something about a charge: of its principal's disputes, the open one ends where the network decides
 * now, and what was lost is looked at again, so that the money goes back once: by the network, or by us once it has let go.
 */
export async function giveWay(
  deps: Pick<DisputesDeps, "clock" | "keyring">,
  crossing: Crossing,
  network: Dispute,
): Promise<void> {
  const now = deps.clock.now();
  for (const found of await rows.concernedBy(await crossing.payer(), network.charge)) {
    if (found.state === "lost") {
      // What was refused, or not owed, may be owed by now; what is due is asked for as before.
      if (found.refund !== "due")
        await noteBoth(crossing, found, { refund: "due", refundMinor: undefined, anew: true });
      await comeBack(crossing, found, now);
      continue;
    }
    const move = isOpen(network) || network.state === "lost" ? moveOf(found, "give_way", now) : undefined;
    if (move === undefined) continue;
    const ended = await moveBoth(deps, crossing, { from: found, move });
    await record(crossing, ended, { actor: system, now });
  }
}
