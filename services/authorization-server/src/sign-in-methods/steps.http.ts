import { minuteMs } from "@remit/kernel";
import type { PageAnswer, PageCall } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { type Destination, type Door, forSignedIn, senderOf } from "../account/index.ts";
import type { Accounts } from "../accounts/index.ts";
import { acrOf } from "../assurance/index.ts";
import type { Factors, Methods } from "../factors/index.ts";
import type { Identities } from "../identities/index.ts";
import type { Post } from "../mail/index.ts";
import type { SignedIn } from "../oidc/index.ts";
import { csrf, type Form } from "../pages/index.ts";
import { freshMs, hasSecond, isFresh, openMs, wantedFor } from "./changing.ts";

export type Deps = Door & {
  readonly db: Database;
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly post: Post;
  readonly identities: Identities;
};

/** Somebody who showed a moment ago that it is them, and how they may do that. */
export type Changer = { readonly me: SignedIn; readonly methods: Methods };

type Step = {
  /** Where they come back to, once they have shown it. */
  readonly page: Destination;
  /** Two factors, also of whoever has one: they add the second on the way. */
  readonly two?: true;
};

export const limit = { count: 30, windowMs: minuteMs, by: "ip" } as const;

/** Members of every form that takes something away. */
export const closing = { csrf, end_others: z.literal("yes").optional() };

/** The page of a change. */
export const openStep = (
  deps: Deps,
  call: PageCall,
  { show, ...step }: Step & { show: (changer: Changer) => Promise<PageAnswer> },
): Promise<PageAnswer> =>
  forSignedIn(deps, call, {
    page: step.page,
    show: (me) => whenFresh(deps, call, { step, me, withinMs: openMs, show }),
  });

/** The form of a change. One that comes too late changes nothing: its page is opened again. */
export async function takeStep(
  deps: Deps,
  call: PageCall,
  { form, show, ...step }: Step & { form: { csrf: string }; show: (changer: Changer) => Promise<PageAnswer> },
): Promise<PageAnswer> {
  const me = await senderOf(deps, call, form);
  return whenFresh(deps, call, { step, me, withinMs: freshMs, show });
}

async function whenFresh(
  { access, factors }: Deps,
  { now }: PageCall,
  given: {
    step: Step;
    me: SignedIn;
    withinMs: number;
    show: (changer: Changer) => Promise<PageAnswer>;
  },
): Promise<PageAnswer> {
  const { step, me, withinMs, show } = given;
  const methods = await factors.methodsOf(me.account.id);
  const aal = wantedFor(methods, { two: step.two === true });
  if (isFresh(me, { aal, now, withinMs })) return show({ me, methods });
  // Whoever has no second factor adds one in that very sign-in, and need not be asked for it again.
  const page = step.two === true && !hasSecond(methods) ? "sign-in-methods" : step.page;
  return { status: 303, location: await access.signInAt({ page, acr: acrOf(aal), anew: true }) };
}

/** Where a form of this room goes. */
export const formAt = ({ forms }: Deps, { me }: Changer, path: string): Form => ({
  action: `/account/sign-in-methods/${path}`,
  check: forms.field(me.conversation),
});

/** What the person may be told of a refusal on the page that they sent; any other ends the request. */
export function textOf(error: unknown): string {
  if (error instanceof Problem && ["invalid_request", "passkey_refused"].includes(error.code))
    return error.detail ?? "This did not work. Try again.";
  throw error;
}
