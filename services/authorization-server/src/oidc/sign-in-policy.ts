import { type Aal, type Acr, type Assurance, acrOf, acrs, levelOf } from "../assurance/index.ts";
import { type Ctx, errors, interactionPolicy, type Prompt } from "./seam.ts";

/** How surely the person must have shown who they are for this request; `exact` when only one of these will do. */
export type Wanted = { readonly aal: Aal; readonly exact?: readonly Acr[] };

export type AcrClaim = {
  readonly essential?: boolean;
  readonly value?: unknown;
  readonly values?: unknown;
};

type Asked = { readonly acrValues: string | undefined; readonly claim: AcrClaim | undefined };

/**
 * What a request asks for by `acr_values` (OIDC Core §3.1.2.1, RFC 9470 §4: any of them or more) or by the claim `acr`
 * (§5.5.1.1: when essential, one of exactly these). Undefined when it is essential and none is a level of ours.
 */
export function wantedBy({ acrValues, claim }: Asked): Wanted | undefined {
  const named = claim?.values ?? (claim?.value === undefined ? undefined : [claim.value]);
  const claimed = acrsIn(named);
  if (claim?.essential === true && named !== undefined)
    return claimed.length === 0 ? undefined : { aal: lowest(claimed), exact: claimed };
  const wished = [...claimed, ...acrsIn(acrValues?.split(" "))];
  return { aal: wished.length === 0 ? 1 : lowest(wished) };
}

const acrsIn = (values: unknown): Acr[] =>
  Array.isArray(values) ? acrs.filter((acr) => values.includes(acr)) : [];

const lowest = (of: readonly Acr[]): Aal => {
  const level = Math.min(...of.map(levelOf));
  return level === 3 ? 3 : level === 2 ? 2 : 1;
};

export const satisfies = (acr: string | undefined, { aal, exact }: Wanted): boolean =>
  levelOf(acr) >= aal && (exact === undefined || exact.some((one) => one === acr));

/** The acr that says what was shown; of those that are wanted exactly, the highest that it reaches. */
export function acrFor({ aal }: Assurance, { exact }: Wanted): Acr {
  const reached = exact?.filter((acr) => levelOf(acr) <= aal).sort();
  return reached?.at(-1) ?? acrOf(aal);
}

/** Whether what was shown is enough for the request. */
export const reaches = (assurance: Assurance, wanted: Wanted): boolean =>
  satisfies(acrFor(assurance, wanted), wanted);

export type PolicyDeps = {
  readonly livemode: boolean;
  /** Whether this person has a second factor to be asked for. */
  readonly hasSecond: (account: string) => Promise<boolean>;
};

/** How old a sign-in may be when its person is asked for a mandate, and when they give it: time to read is between. */
export const mandateAskedS = 180;
export const mandateGivenS = 300;

/**
 * The core's own policy, with levels instead of its comparison of texts. A mandate wants a sign-in of the last minutes,
 * and two factors of whoever has two, and of everybody where the money is real.
 */
export function signInPolicy(deps: PolicyDeps): readonly Prompt[] {
  const policy = interactionPolicy.base();
  const login = policy.get("login");
  if (login === undefined) throw new TypeError("the core has no login prompt");
  login.checks.remove("essential_acrs");
  login.checks.remove("essential_acr");
  const wantedIn = async (ctx: Ctx): Promise<Wanted> => {
    const { client, params, session, claims } = ctx.oidc;
    const wanted = wantedBy({ acrValues: params["acr_values"], claim: claims?.id_token?.acr ?? undefined });
    if (wanted === undefined)
      throw new errors.UnmetAuthenticationRequirements("None of the essential acr values is known here.");
    if (client?.remit_kind !== "agent" || wanted.aal > 1) return wanted;
    const account = session?.accountId;
    const two = deps.livemode || (account !== undefined && (await deps.hasSecond(account)));
    return two ? { ...wanted, aal: 2 } : wanted;
  };
  login.checks.add(
    new interactionPolicy.Check(
      "assurance",
      "A stronger sign-in is needed",
      "login_required",
      async (ctx) => !satisfies(ctx.oidc.session?.acr, await wantedIn(ctx)),
    ),
  );
  login.checks.add(
    new interactionPolicy.Check(
      "fresh_for_mandate",
      "A mandate is given by whoever showed a moment ago who they are",
      "login_required",
      ({ oidc: { client, session, result } }) =>
        client?.remit_kind === "agent" &&
        session?.accountId !== undefined &&
        session.past(mandateAskedS) &&
        result?.login === undefined,
    ),
  );
  // The page must know it whatever else asked for the sign-in.
  const { details } = login;
  login.details = async (ctx) => ({ ...(await details(ctx)), assurance: await wantedIn(ctx) });
  return policy;
}
