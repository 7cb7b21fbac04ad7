import { instantOf } from "@remit/kernel";
import { expect, test } from "vitest";
import { type Methods, reachable } from "./factors.ts";

const passkey = (deviceBound: boolean): Methods["passkeys"][number] => ({
  key: "k",
  name: "Phone",
  deviceBound,
  createdAt: instantOf(0),
  lastUsedAt: undefined,
});
const none: Methods = { password: false, passkeys: [], app: false, linked: false, recoveryCodesLeft: 0 };

test.each<[string, Partial<Methods>, number]>([
  ["a password", { password: true }, 1],
  ["a password and recovery codes", { password: true, recoveryCodesLeft: 10 }, 1],
  ["an identity", { linked: true }, 1],
  ["a password and an identity", { password: true, linked: true }, 1],
  ["a password and an app", { password: true, app: true }, 2],
  ["an identity and an app", { linked: true, app: true }, 2],
  ["a passkey", { passkeys: [passkey(false)] }, 2],
  [
    "a passkey and all else that is not bound to a device",
    { ...none, password: true, app: true, passkeys: [passkey(false)] },
    2,
  ],
  [
    "a key that cannot leave its device, beside others",
    { password: true, passkeys: [passkey(false), passkey(true)] },
    3,
  ],
])("A16 a change takes what the account can show at most: with %s", (_what, has, aal) => {
  expect(reachable({ ...none, ...has })).toBe(aal);
});
