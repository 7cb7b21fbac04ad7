import { describe, expect, test } from "vitest";
import type { Ctx } from "./seam.ts";
import { satisfies, signInPolicy, wantedBy } from "./sign-in-policy.ts";

const [aal1, aal2, aal3] = ["urn:remit:aal1", "urn:remit:aal2", "urn:remit:aal3"] as const;

describe("A16 what a request asks for is what the sign-in must reach", () => {
  test.each([
    ["nothing", undefined, undefined, { aal: 1 }],
    ["acr_values", aal2, undefined, { aal: 2 }],
    ["the least of several", `${aal3} ${aal2}`, undefined, { aal: 2 }],
    ["one unknown value", "phr", undefined, { aal: 1 }],
    ["an unknown value beside ours", `phr ${aal3}`, undefined, { aal: 3 }],
    ["a voluntary claim", undefined, { value: aal2 }, { aal: 2 }],
    ["an essential claim", undefined, { essential: true, value: aal2 }, { aal: 2, exact: [aal2] }],
    [
      "essential values",
      undefined,
      { essential: true, values: [aal3, aal2] },
      { aal: 2, exact: [aal2, aal3] },
    ],
    ["an essential claim of no value", undefined, { essential: true }, { aal: 1 }],
    ["an essential unknown value", undefined, { essential: true, value: "phr" }, undefined],
    ["essential values that are no list", undefined, { essential: true, values: aal2 }, undefined],
  ])("A16 %s", (_what, acrValues, claim, wanted) => {
    expect(wantedBy({ acrValues, claim })).toEqual(wanted);
  });

  test.each([
    [undefined, { aal: 1 } as const, false],
    ["phr", { aal: 1 } as const, false],
    [aal1, { aal: 2 } as const, false],
    [aal3, { aal: 2 } as const, true],
    [aal3, { aal: 2, exact: [aal2] } as const, false],
    [aal2, { aal: 2, exact: [aal2] } as const, true],
  ])("A16 a session of %s for %o: %s", (acr, wanted, enough) => {
    expect(satisfies(acr, wanted)).toBe(enough);
  });
});

describe("A16 a mandate is asked of whoever showed a moment ago who they are", () => {
  const login = signInPolicy({ livemode: false, hasSecond: async () => false }).find(
    ({ name }) => name === "login",
  );
  const check = login?.checks.get("fresh_for_mandate");
  const asks = (kind: string, ageS: number | undefined, more = {}): unknown => {
    const session = {
      accountId: ageS === undefined ? undefined : "acc_1",
      past: (s: number) => (ageS ?? 0) > s,
    };
    // All that this check looks at.
    return check?.check({ oidc: { client: { remit_kind: kind }, session, ...more } } as unknown as Ctx);
  };

  test.each([
    ["agent", 180, false],
    ["agent", 181, true],
    ["agent", 43_000, true],
    ["wallet", 43_000, false],
    ["application", 43_000, false],
    // Nobody is signed in: another check asks.
    ["agent", undefined, false],
  ] as const)("A16 of a %s with a sign-in of %s s ago: %s", (kind, ageS, asked) => {
    expect(asks(kind, ageS)).toBe(asked);
  });

  test("A16 not once more of whoever has just shown it", () => {
    expect(asks("agent", 43_000, { result: { login: { accountId: "acc_1" } } })).toBe(false);
  });
});
