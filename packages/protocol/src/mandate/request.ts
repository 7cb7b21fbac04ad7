import { after, dayMs, fromRfc3339, type Instant, toRfc3339 } from "@remit/kernel";
import { isJsonObject, type Json, type JsonObject } from "../encoding/index.ts";
import { Problem } from "../problems.ts";
import {
  detailChecks,
  isDetailMember,
  isOrigin,
  type MandateDetails,
  mandateDetailsType,
  mandateVersion,
} from "./details.ts";

/** A mandate an agent asks for: the details it would have, and until when. */
export type MandateRequest = { readonly details: MandateDetails; readonly validUntil: Instant };

const usualDays = 30;
const daysMax = 366;

/**
 * Parses the `authorization_details` of a request (RFC 9396 §2, parsed JSON): exactly one entry of type
 * `oid4ac_mandate`, alone or in an array. `merchant` (one origin) is read as `merchants`; `valid_until` is RFC 3339, 30
 * days from now unless told. Throws `invalid_authorization_details` for anything unknown, so that nothing a principal
 * reads on the consent page is silently dropped, and for `instrument`: which card pays is not for the agent to say.
 */
export function parseMandateRequest(json: unknown, now: Instant): MandateRequest {
  const { valid_until: validUntil, ...members } = onlyEntryOf(json);
  if (!isNothing(members["instrument"])) throw refused("The principal, not the agent, chooses what pays.");
  const details = parseMandateDetails({
    oid4ac_version: mandateVersion,
    uses: "multiple",
    ...withMerchants(members),
  });
  if (details.per_charge_minor !== undefined && details.per_charge_minor > details.amount_minor)
    throw refused("per_charge_minor must not exceed amount_minor.");
  if (details.also_accepts?.some(({ peg }) => peg !== details.currency))
    throw refused("also_accepts must be pegged to the mandate's currency.");
  return { details, validUntil: endOf(validUntil, now) };
}

/** The details when every member is known and fits; members that are null or empty lists count as absent. */
export function parseMandateDetails(value: unknown): MandateDetails {
  if (!isJsonObject(value)) throw refused("The details must be an object.");
  const members = Object.entries(value).filter(([, member]) => !isNothing(member));
  for (const [name, member] of members) {
    if (!isDetailMember(name)) throw refused(`The member ${JSON.stringify(name.slice(0, 64))} is unknown.`);
    if (member === undefined || !detailChecks[name](member))
      throw refused(`The member ${name} is not valid.`);
  }
  const found = Object.fromEntries(members);
  for (const name of ["type", "oid4ac_version", "currency", "amount_minor", "uses"])
    if (found[name] === undefined) throw refused(`The member ${name} is missing.`);
  // Each member passed its own check above, and the required ones are there.
  return found as MandateDetails;
}

function onlyEntryOf(json: unknown): JsonObject {
  const entries: readonly unknown[] = Array.isArray(json) ? json : [json];
  const entry = entries[0];
  if (entries.length !== 1 || !isJsonObject(entry)) throw refused("Ask for exactly one mandate at a time.");
  if (entry["type"] !== mandateDetailsType) throw refused(`The type must be ${mandateDetailsType}.`);
  return entry;
}

function withMerchants({ merchant, ...members }: JsonObject): JsonObject {
  if (isNothing(merchant)) return members;
  if (!isNothing(members["merchants"])) throw refused("Name either merchant or merchants.");
  if (merchant === undefined || !isOrigin(merchant)) throw refused("The member merchant is not an origin.");
  return { ...members, merchants: [merchant] };
}

function endOf(validUntil: Json | undefined, now: Instant): Instant {
  if (isNothing(validUntil)) return after(now, usualDays * dayMs);
  const end = typeof validUntil === "string" ? fromRfc3339(validUntil) : undefined;
  if (end === undefined) throw refused("valid_until must be a time of RFC 3339.");
  const last = after(now, daysMax * dayMs);
  if (end <= now || end > last) throw refused(`valid_until must lie between now and ${toRfc3339(last)}.`);
  return end;
}

const isNothing = (value: Json | undefined): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

const refused = (detail: string): Problem => new Problem("invalid_authorization_details", { detail });
