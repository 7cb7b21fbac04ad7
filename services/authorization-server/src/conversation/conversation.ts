import { type Instant, instantOf, minuteMs } from "@remit/kernel";
import type { PageAnswer, PageCall } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account } from "../accounts/index.ts";
import { assuranceOf, type Proof } from "../assurance/index.ts";
import { type Interactions, interactionPath, reaches, type SignInAsked } from "../oidc/index.ts";
import { csrf, type FormCheck, pageHeaders, type Script } from "../pages/index.ts";

export const Uid = z.strictObject({ uid: z.string().regex(/^[\w-]{16,64}$/) });
/** Members that many forms of a conversation have. */
export const members = {
  csrf,
  ticket: z.string().max(4_096),
  /** The ticket of a passkey's challenge, and what the authenticator answered. */
  passkey: z.string().max(4_096),
  response: z.string().min(1).max(24_576),
  code: z.string().min(1).max(64),
  email: z.email().max(254),
  name: z.string().trim().min(1).max(80),
  password: z.string().min(1).max(1_024),
};

/** When somebody showed who they are, as tickets carry it; of several proofs the oldest. */
export const ProvenAt = z.number().transform(instantOf);

/** Of everything that tries something. */
export const limit = { count: 30, windowMs: minuteMs, by: "ip" } as const;

export type Shown = {
  readonly html: string;
  readonly status?: number;
  readonly scripts?: readonly Script[];
  readonly retryAfterS?: number;
};

/** Who showed what, and when. */
export type Proven = {
  readonly account: Account;
  readonly proofs: readonly Proof[];
  readonly provenAt: Instant;
};

/** A page before the way on, for somebody who has shown enough; undefined when there is none. */
export type Interrupt = (
  call: PageCall,
  asked: SignInAsked,
  shown: Proven,
) => Promise<PageAnswer | undefined>;

/** One browser on its way through one authorization request: what is asked, and the pages that ask it. */
export type Conversation = {
  /** The conversation of this browser: the cookie must be the one of the address. Refused unless somebody is to sign in. */
  read(call: PageCall, uid: string): Promise<SignInAsked>;
  /** The same for a form: it must be ours. */
  readForm(call: PageCall, uid: string, sent: { csrf: string }): Promise<SignInAsked>;
  show(asked: SignInAsked, shown: Shown): PageAnswer;
  /** Where a form of this conversation goes, with its hidden field. */
  form(asked: SignInAsked, step: string): { action: string; check: ReturnType<FormCheck["field"]> };
  /** Signs in; false when what was shown is less than what is asked for. */
  finish(call: PageCall, asked: SignInAsked, shown: Proven): Promise<PageAnswer | false>;
  leave(call: PageCall): Promise<PageAnswer>;
};

export function createConversation(deps: {
  readonly interactions: Interactions;
  readonly forms: FormCheck;
  readonly interrupt: Interrupt;
}): Conversation {
  const { interactions, forms, interrupt } = deps;
  const read = async (call: PageCall, uid: string): Promise<SignInAsked> => {
    const asked = await interactions.read(call.raw);
    if (asked.uid !== uid) throw new Problem("not_found", { detail: "This request is not of this browser." });
    if (asked.kind !== "sign_in")
      throw new Problem("invalid_request", {
        detail: "You are signed in already. Go back to the application.",
      });
    return asked;
  };
  return {
    read,
    readForm: async (call, uid, sent) => {
      forms.check(call, { conversation: uid, csrf: sent.csrf });
      return read(call, uid);
    },
    show: (asked, { html, status = 200, scripts = [], retryAfterS }) => {
      const target = URL.parse(asked.redirectUri)?.origin;
      const headers = {
        ...pageHeaders({ scripts, formTargets: target === undefined ? [] : [target] }),
        ...(retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) }),
      };
      return { status, headers, html };
    },
    form: ({ uid }, step) => ({ action: `${interactionPath(uid)}/${step}`, check: forms.field(uid) }),
    finish: async (call, asked, { account, proofs, provenAt }) => {
      if (asked.known !== undefined && asked.known.id !== account.id)
        throw new Problem("forbidden", {
          detail: `You are signed in as ${asked.known.email}. Sign out there before you use another account.`,
        });
      const assurance = assuranceOf(proofs);
      if (!reaches(assurance, asked.wanted)) return false;
      const first = await interrupt(call, asked, { account, proofs, provenAt });
      if (first !== undefined) return first;
      const signedIn = { account, assurance, provenAt };
      return { status: 303, location: await interactions.signedIn(call.raw, asked, signedIn) };
    },
    leave: async (call) => ({ status: 303, location: await interactions.leave(call.raw) }),
  };
}
