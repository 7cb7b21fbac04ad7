import { type Id, invariant, parseId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Caller } from "./route.ts";

const platformId = parseId("tenant", "org_00000000000000000000000000");
invariant(platformId !== undefined, "the platform's tenant has a valid id");

/** The tenant of Remit's own services and of the installation's operator: it owns no agent, no mandate and no money. */
export const platformTenant: Id<"tenant"> = platformId;

/** Refuses everybody but the operator of the installation. */
export function onlyOperator({ tenant }: Caller): void {
  if (tenant !== platformTenant)
    throw new Problem("forbidden", { detail: "Only the operator of the installation may do this." });
}
