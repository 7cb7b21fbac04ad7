import { describe, expect, test } from "vitest";
import { acrOf, assuranceOf, levelOf, type Proof } from "./assurance.ts";

const passkey = (more: { deviceBound?: boolean; userVerified?: boolean } = {}): Proof => ({
  kind: "passkey",
  deviceBound: false,
  userVerified: true,
  ...more,
});

describe("A16 a level is never higher than what was shown", () => {
  test.each<[string, Proof[], number, string[]]>([
    ["a password", [{ kind: "password" }], 1, ["pwd"]],
    ["a code alone", [{ kind: "code" }], 1, ["otp"]],
    ["a code twice", [{ kind: "code" }, { kind: "recovery_code" }], 1, ["otp"]],
    ["password and code", [{ kind: "password" }, { kind: "code" }], 2, ["pwd", "otp", "mfa"]],
    [
      "password and recovery code",
      [{ kind: "password" }, { kind: "recovery_code" }],
      2,
      ["pwd", "otp", "mfa"],
    ],
    ["a passkey", [passkey()], 2, ["swk", "pop", "user", "mfa"]],
    ["a passkey without finger or PIN", [passkey({ userVerified: false })], 1, ["swk", "pop", "user"]],
    [
      "that with a password",
      [{ kind: "password" }, passkey({ userVerified: false })],
      2,
      ["pwd", "swk", "pop", "user", "mfa"],
    ],
    ["a security key", [passkey({ deviceBound: true })], 3, ["hwk", "pop", "user", "mfa"]],
    [
      "a security key without PIN",
      [passkey({ deviceBound: true, userVerified: false })],
      1,
      ["hwk", "pop", "user"],
    ],
    ["the word of a provider", [{ kind: "federated", second: false }], 1, ["fed"]],
    ["its word for two factors", [{ kind: "federated", second: true }], 2, ["fed", "mfa"]],
    [
      "its word and a code",
      [{ kind: "federated", second: false }, { kind: "code" }],
      2,
      ["fed", "otp", "mfa"],
    ],
    [
      "its word and a password",
      [{ kind: "federated", second: false }, { kind: "password" }],
      1,
      ["pwd", "fed"],
    ],
    ["nothing", [], 1, []],
  ])("A16 %s", (_what, proofs, aal, amr) => {
    expect(assuranceOf(proofs)).toEqual({ aal, amr });
  });

  test("A16 an acr that is not ours is no level", () => {
    expect([1, 2, 3].map((aal) => levelOf(acrOf(aal as 1 | 2 | 3)))).toEqual([1, 2, 3]); // the three there are
    for (const other of [undefined, "", "aal3", "urn:remit:aal4", "urn:remit:aal3 ", "phr"])
      expect(levelOf(other)).toBe(0);
  });
});
