import { instantOf, newId } from "@remit/kernel";
import type { PageAnswer, PageCall } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { describe, expect, test } from "vitest";
import type { Answerer, Approval, MandateSubject } from "../approvals/index.ts";
import { createFormCheck } from "../pages/index.ts";
import { answeringPages } from "./index.ts";

const issuer = "https://as.example";
const now = instantOf(1_764_000_000_000);
const account = { id: newId("account"), home: newId("tenant"), email: "ada@example.com", name: "Ada" };
const session = "a-session-uid-of-the-core";
const forms = createFormCheck({ issuer, key: new Uint8Array(32) });
const csrf = /value="([^"]+)"/.exec(forms.field(session).markup)?.[1] ?? "";

const approval: Approval<MandateSubject> = {
  id: newId("approval"),
  tenant: account.home,
  principal: account.id,
  agent: newId("agent"),
  agentTenant: newId("tenant"),
  subject: {
    kind: "mandate",
    request: {
      details: {
        type: "oid4ac_mandate",
        oid4ac_version: "1.0",
        currency: "EUR",
        amount_minor: 50_000,
        uses: "multiple",
      },
      validUntil: instantOf(now + 86_400_000),
    },
    resources: { "https://shop.example": "oid4ac:payment" },
    openid: true,
  },
  holderThumbprint: "t",
  state: "pending",
  askedAt: now,
  askedCount: 1,
  expiresAt: instantOf(now + 600_000),
  answeredAt: undefined,
  mandate: undefined,
  question: { request: "r", bindingMessage: "Order <17>" },
};

const evidence = { stepUp: newId("challenge"), method: "code", aal: 2, challenge: "c" } as const;

/** The pages of a person with a second factor; what the rooms behind them do is written down. */
function pagesOf(of: {
  second: boolean;
  livemode?: boolean;
  check?: () => Promise<never>;
  signedInAgoMs?: number;
}) {
  const { second, livemode = false, check, signedInAgoMs = 0 } = of;
  const approved: { by: Answerer; kept: unknown }[] = [];
  const asked: unknown[] = [];
  const checked: unknown[] = [];
  // Each port does what these tests see of it.
  const deps = {
    livemode,
    forms,
    access: {
      current: async () => ({ authenticatedAt: instantOf(now - signedInAgoMs) }),
      signInAt: async (wanted: object) => `/oauth/authorize?${JSON.stringify(wanted)}`,
    },
    accounts: { byId: async () => account },
    opened: async () => ({ uid: session, accountId: account.id }),
    nameOf: async () => "<b>Agent</b>",
    factors: { hasSecond: async () => second },
    stepUps: {
      ask: async (_: unknown, question: unknown) => {
        asked.push(question);
        return { id: newId("challenge"), expiresAt: now, passkey: undefined, code: true, password: false };
      },
      check:
        check ??
        (async (_: unknown, question: unknown) => {
          checked.push(question);
          return {};
        }),
      consume: async () => evidence,
    },
    approvals: {
      find: async () => approval,
      list: async () => [approval],
      approve: async (_: unknown, by: Answerer) => {
        approved.push({ by, kept: await by.confirm?.({} as never) });
        return approval;
      },
    },
  } as unknown as Parameters<typeof answeringPages>[0];
  const call = {
    now,
    ip: "192.0.2.1",
    method: "POST",
    raw: {},
    header: (name: string) => (name === "origin" ? issuer : undefined),
  } as unknown as PageCall;
  const send = (method: string, ending: string, form: object = {}): Promise<PageAnswer> => {
    const page = answeringPages(deps).find((one) => one.method === method && one.path.endsWith(ending));
    if (page === undefined) throw new RangeError(ending);
    return page.handle(call, { params: { id: approval.id }, query: undefined, form });
  };
  return { send, approved, asked, checked };
}

describe("a yes", () => {
  test("A16 of somebody with a second factor needs it, for this very approval, and keeps its evidence", async () => {
    const { send, approved, asked, checked } = pagesOf({ second: true });
    const shown = await send("GET", "/:id");
    expect("html" in shown && shown.html).toContain("Code of your authenticator app");
    expect(asked).toEqual([
      {
        action: "approval.approve",
        what: { approval: approval.id, agent: approval.agent, details: approval.subject.request.details },
        aal: 2,
      },
    ]);
    const answer = await send("POST", "/approve", { csrf, step_up: "chl_1", code: "123456" });
    expect(answer).toMatchObject({ status: 303, location: `/account/approvals/${approval.id}` });
    expect(checked).toEqual(asked);
    expect(approved).toMatchObject([{ by: { account: account.id }, kept: evidence }]);
  });

  test("A16 with a wrong factor allows nothing, and asks again", async () => {
    const check = () => Promise.reject(new Problem("step_up_refused", { detail: "The code is not right." }));
    const { send, approved } = pagesOf({ second: true, check });
    const answer = await send("POST", "/approve", { csrf, step_up: "chl_1", code: "000000" });
    expect(answer.status).toBe(401);
    expect("html" in answer && answer.html).toContain("The code is not right.");
    expect(approved).toEqual([]);
  });

  test("of somebody without one is a press of the button, soon after their sign-in", async () => {
    const { send, approved, asked } = pagesOf({ second: false });
    await send("GET", "/:id");
    expect((await send("POST", "/approve", { csrf })).status).toBe(303);
    expect(asked).toEqual([]);
    expect(approved).toMatchObject([{ kept: undefined }]);
  });

  test("A16 of somebody without one is none more than five minutes after their sign-in: they are asked once more", async () => {
    const { send, approved } = pagesOf({ second: false, signedInAgoMs: 300_001 });
    const answer = await send("POST", "/approve", { csrf });
    expect("location" in answer && answer.location).toContain('{"page":"approvals","anew":true}');
    expect(approved).toEqual([]);
    const inTime = pagesOf({ second: false, signedInAgoMs: 300_000 });
    await inTime.send("POST", "/approve", { csrf });
    expect(inTime.approved).toHaveLength(1);
  });

  test("A16 of somebody without one is none where the money is real, and a no still is one", async () => {
    const { send, approved } = pagesOf({ second: false, livemode: true });
    const shown = await send("GET", "/:id");
    const page = "html" in shown ? shown.html : "";
    expect(page).toContain('href="/account/second-factor"');
    expect(page).not.toContain("/approve");
    expect(page).toContain("/deny");
    await expect(send("POST", "/approve", { csrf })).rejects.toMatchObject({
      code: "insufficient_user_authentication",
    });
    expect(approved).toEqual([]);
  });

  test.each(["", "x".repeat(43)])("A17 with the form secret %j is refused", async (wrong) => {
    const { send, approved } = pagesOf({ second: false });
    await expect(send("POST", "/approve", { csrf: wrong })).rejects.toMatchObject({ code: "forbidden" });
    await expect(send("POST", "/deny", { csrf: wrong })).rejects.toMatchObject({ code: "forbidden" });
    expect(approved).toEqual([]);
  });
});

test("V06 what an agent wrote never becomes markup, and its words are shown as its words", async () => {
  const shown = await pagesOf({ second: false }).send("GET", "/:id");
  const page = "html" in shown ? shown.html : "";
  expect(page).toContain("“&lt;b&gt;Agent&lt;/b&gt;” asks to spend your money");
  expect(page).toContain("The agent's own words: “Order &lt;17&gt;”");
  expect(page).toContain("500.00 EUR");
});
