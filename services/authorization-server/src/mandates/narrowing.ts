import { fromRfc3339, type Instant, toRfc3339 } from "@remit/kernel";
import { type MandateDetails, Problem, parseMandateDetails } from "@remit/protocol";
import type { NarrowMandate } from "@remit/protocol/contracts";

/** What a mandate allows and until when. */
export type Terms = { readonly details: MandateDetails; readonly expiresAt: Instant };

type Rule = NonNullable<NarrowMandate["velocity"]>[number];

/**
 * The terms with every member of `asked` in place of its own. Throws `mandate_would_widen` for the first member that allows
 * more than the terms do, so that nothing is narrowed by half; a period's rule is replaced where there is one for its period
 * and zone, and added where there is none. What is not named stays as it is.
 */
export function narrowedTerms(terms: Terms, asked: NarrowMandate, now: Instant): Terms {
  const { details } = terms;
  const { valid_until: until, velocity, step_up: stepUp, ...members } = asked;
  for (const limit of ["amount_minor", "per_charge_minor"] as const)
    assertAtMost(limit, members[limit], details[limit]);
  for (const list of ["merchants", "categories", "rails"] as const)
    assertWithin(list, members[list], details[list]);
  // The whole is read as a request is: what no consent could have said, no narrowing says.
  const narrowed = parseMandateDetails({
    ...details,
    ...members,
    ...(velocity !== undefined && { velocity: narrowedRules(details.velocity ?? [], velocity) }),
    ...(stepUp !== undefined && { step_up: [...(details.step_up ?? []), ...stepUp] }),
  });
  return { details: narrowed, expiresAt: until === undefined ? terms.expiresAt : endOf(terms, until, now) };
}

const widens = (member: string, limit: unknown): Problem =>
  new Problem("mandate_would_widen", {
    detail: `${member} would allow more than the mandate does.`,
    extra: { member, limit },
  });

function assertAtMost(member: string, asked: number | undefined, limit: number | undefined): void {
  if (asked !== undefined && limit !== undefined && asked > limit) throw widens(member, limit);
}

function assertWithin(
  member: string,
  asked: readonly string[] | undefined,
  limit: readonly string[] | undefined,
): void {
  if (limit !== undefined && asked?.some((one) => !limit.includes(one)) === true) throw widens(member, limit);
}

const sameWindow = (one: Rule, other: Rule): boolean =>
  one.period === other.period && (one.zone ?? "UTC") === (other.zone ?? "UTC");

/** Rules keep their places, by which their windows count; what is new comes after them and counts from now on. */
function narrowedRules(rules: readonly Rule[], asked: readonly Rule[]): Rule[] {
  const kept = rules.map((rule) => {
    const by = asked.find((one) => sameWindow(one, rule));
    if (by === undefined) return rule;
    assertAtMost(`velocity.${rule.period}.amount_minor`, by.amount_minor, rule.amount_minor);
    assertAtMost(`velocity.${rule.period}.count`, by.count, rule.count);
    return { ...rule, ...by };
  });
  return [...kept, ...asked.filter((one) => !rules.some((rule) => sameWindow(one, rule)))];
}

function endOf({ expiresAt }: Terms, until: string, now: Instant): Instant {
  const end = fromRfc3339(until);
  if (end === undefined || end <= now)
    throw new Problem("invalid_request", {
      detail: "valid_until must be a time to come; revoke a mandate to end it now.",
    });
  if (end > expiresAt) throw widens("valid_until", toRfc3339(expiresAt));
  return end;
}
