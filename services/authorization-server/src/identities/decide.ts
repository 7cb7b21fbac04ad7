import type { Id } from "@remit/kernel";

/** Whoever the subject may be, as far as it may be known. */
export type Facts = {
  /** The account that the subject is linked to. `usable`: there still, and a member where the provider is a tenant's. */
  readonly linked: { readonly account: Id<"account">; readonly usable: boolean } | undefined;
  /** Somebody is signed in and shows it once more: nobody new comes of that. */
  readonly known: boolean;
  readonly emailVerified: boolean;
  /** Whether the provider may vouch for addresses of this domain. Else `holder` is not even looked up. */
  readonly speaks: boolean;
  /** The account that has the address. */
  readonly holder:
    | {
        readonly account: Id<"account">;
        /** Of the provider's tenant; true for the operator's providers, which are everybody's. */
        readonly member: boolean;
        /**
         * It has another subject at this provider: the address went to somebody else, or the provider renamed people. Or it
         * had one, and its person took it away.
         */
        readonly elsewhere: boolean;
      }
    | undefined;
  readonly linkPolicy: "none" | "verified_email";
  readonly jitPolicy: "off" | "domain" | "approval";
  readonly admission: "waiting" | "admitted" | "refused" | undefined;
};

/** Why somebody is not signed in yet (seeds 4.6). */
export type Pending =
  | "email_conflict"
  | "jit_requires_verified_email"
  | "jit_domain_not_allowed"
  | "jit_approval_required"
  | "email_taken"
  | "admission_refused"
  | "not_linked"
  | "not_a_member";

export type Decision =
  | { readonly kind: "sign_in"; readonly account: Id<"account"> }
  | { readonly kind: "link"; readonly account: Id<"account"> }
  | { readonly kind: "create" }
  | { readonly kind: "ask_admission" }
  | { readonly kind: "pending"; readonly because: Pending };

const pending = (because: Pending): Decision => ({ kind: "pending", because });

/**
 * Who a subject is. An identity is (provider, subject) and never an address. An address leads to an account of itself only
 * when the provider says that it is verified, may speak for its domain, is set to, and nothing speaks against it. Whether
 * an account has the address is told by no answer to a provider that may not vouch for it (A18).
 */
export function decide(facts: Facts): Decision {
  const { linked, known, holder } = facts;
  if (linked !== undefined)
    return linked.usable ? { kind: "sign_in", account: linked.account } : pending("not_a_member");
  if (known) return pending("not_linked");
  if (!facts.emailVerified) return pending("jit_requires_verified_email");
  if (!facts.speaks) return pending("jit_domain_not_allowed");
  if (holder !== undefined) {
    const clear = holder.member && !holder.elsewhere && facts.linkPolicy === "verified_email";
    return clear ? { kind: "link", account: holder.account } : pending("email_conflict");
  }
  switch (facts.jitPolicy) {
    case "off":
      return pending("not_linked");
    case "domain":
      return { kind: "create" };
    case "approval":
      if (facts.admission === "admitted") return { kind: "create" };
      return facts.admission === "refused" ? pending("admission_refused") : { kind: "ask_admission" };
  }
}
