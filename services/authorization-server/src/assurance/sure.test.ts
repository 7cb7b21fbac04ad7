import { fromNumericDate, newId } from "@remit/kernel";
import { expect, test } from "vitest";
import { requireSignInLately } from "./sure.ts";

const now = fromNumericDate(1_800_000_000);
const claims = {
  iss: "i",
  sub: "s",
  aud: "a",
  client_id: "c",
  jti: "j",
  iat: 0,
  exp: 0,
  scope: [],
  livemode: false,
  organization_id: newId("tenant"),
};
const signedIn = (auth_time?: number) => ({
  now,
  caller: { claims: { ...claims, ...(auth_time === undefined ? {} : { auth_time }) } },
});

test("A16 a sign-in counts as late for five minutes, and one that nobody knows the time of never does", () => {
  requireSignInLately(signedIn(1_800_000_000 - 300));
  for (const at of [1_800_000_000 - 301, 0, undefined])
    expect(() => requireSignInLately(signedIn(at))).toThrow(
      expect.objectContaining({
        code: "insufficient_user_authentication",
        extra: { acr_values: "urn:remit:aal1", max_age: 300 },
      }),
    );
});
