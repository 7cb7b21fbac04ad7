import type { DisputesDeps } from "../../src/disputes/disputes.operations.ts";
import { createDisputeNetwork } from "../../src/disputes/network.ts";
import type { Rooms } from "./rooms.ts";

/** The rooms of a process that decides about money, with disputes about it. */
export type Doer = Rooms & { readonly disputes: DisputesDeps };

export function withDisputes(rooms: Rooms): Doer {
  const { db, clock, log, charges, chargesDeps } = rooms;
  const network = createDisputeNetwork({
    peer: { call: () => Promise.reject(new Error("nobody asks the card network here")) },
    origin: "https://billing.test",
    disputes: () => disputes,
  });
  const disputes: DisputesDeps = { db, clock, log, keyring: chargesDeps.keyring, charges, network };
  return { ...rooms, disputes };
}
