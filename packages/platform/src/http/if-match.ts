import { Problem } from "@remit/protocol";

/** The version that a change is of: RFC 9110 §13.1.1, one strong entity tag of ours, which is a number. */
export function versionIn(ifMatch: string | undefined): number {
  if (ifMatch === undefined) throw new Problem("precondition_required");
  const version = /^"(\d{1,9})"$/.exec(ifMatch)?.[1];
  if (version === undefined) throw new Problem("precondition_failed");
  return Number(version);
}
