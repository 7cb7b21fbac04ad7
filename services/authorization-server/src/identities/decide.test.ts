import { newId } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { decide, type Facts } from "./decide.ts";

const account = newId("account");
/** Somebody new, with all that it takes to be let in. */
const facts = (more: Partial<Facts> = {}): Facts => ({
  linked: undefined,
  known: false,
  emailVerified: true,
  speaks: true,
  holder: undefined,
  linkPolicy: "verified_email",
  jitPolicy: "domain",
  admission: undefined,
  ...more,
});
const holder = { account, member: true, elsewhere: false };
const pending = (because: string) => ({ kind: "pending", because });

describe("an identity is a provider and a subject", () => {
  test("a subject that is linked signs in, whatever its address is now", () => {
    const linked = { account, usable: true };
    const other = { ...holder, account: newId("account") };
    for (const more of [{}, { emailVerified: false }, { speaks: false }, { holder: other }, { known: true }])
      expect(decide(facts({ linked, ...more }))).toEqual({ kind: "sign_in", account });
  });

  test("T01 a subject whose account left the tenant does not", () => {
    expect(decide(facts({ linked: { account, usable: false } }))).toEqual(pending("not_a_member"));
  });

  test("somebody known who shows it once more is linked to nothing new and gets no account", () => {
    for (const more of [{}, { holder }])
      expect(decide(facts({ known: true, ...more }))).toEqual(pending("not_linked"));
  });
});

describe("an address leads to an account only when nothing speaks against it", () => {
  test("verified, spoken for, of a member, by policy: it is linked", () => {
    expect(decide(facts({ holder }))).toEqual({ kind: "link", account });
  });

  test.each<[string, Partial<Facts>, string]>([
    ["not verified", { holder, emailVerified: false }, "jit_requires_verified_email"],
    [
      "of a domain that is not the provider's",
      { holder: undefined, speaks: false },
      "jit_domain_not_allowed",
    ],
    ["without the policy", { holder, linkPolicy: "none" }, "email_conflict"],
    ["of somebody outside the tenant", { holder: { ...holder, member: false } }, "email_conflict"],
    ["of somebody with another subject there", { holder: { ...holder, elsewhere: true } }, "email_conflict"],
  ])("an address %s is not", (_what, more, because) => {
    expect(decide(facts(more))).toEqual(pending(because));
  });
});

describe("somebody new", () => {
  test.each<[string, Partial<Facts>, object]>([
    ["gets an account at the provider's domains", {}, { kind: "create" }],
    ["gets none where that is off", { jitPolicy: "off" }, pending("not_linked")],
    [
      "gets none without a verified address",
      { emailVerified: false },
      pending("jit_requires_verified_email"),
    ],
    ["gets none at another domain", { speaks: false }, pending("jit_domain_not_allowed")],
    ["is asked for first, where the tenant wants that", { jitPolicy: "approval" }, { kind: "ask_admission" }],
    ["waits on", { jitPolicy: "approval", admission: "waiting" }, { kind: "ask_admission" }],
    [
      "comes in when the tenant said yes",
      { jitPolicy: "approval", admission: "admitted" },
      { kind: "create" },
    ],
    [
      "stays out when it said no",
      { jitPolicy: "approval", admission: "refused" },
      pending("admission_refused"),
    ],
    [
      "of another domain stays out though the tenant said yes",
      { speaks: false, admission: "admitted" },
      pending("jit_domain_not_allowed"),
    ],
  ])("%s", (_what, more, decision) => {
    expect(decide(facts(more))).toEqual(decision);
  });
});
