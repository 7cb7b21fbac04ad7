import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { expect, test } from "vitest";
import { signerOf } from "./index.ts";

test("the signer of a text is found, and for another text it is somebody else", async () => {
  const account = privateKeyToAccount(generatePrivateKey());
  const signature = await account.signMessage({ message: "hello" });
  expect(await signerOf("hello", signature)).toBe(account.address.toLowerCase());
  expect(await signerOf("hell0", signature)).not.toBe(account.address.toLowerCase());
});

test.each([
  "",
  "0x",
  "0x00",
  `0x${"00".repeat(65)}`,
  `0x${"ff".repeat(64)}1b`,
  `0x${"11".repeat(64)}05`,
  `0x${"11".repeat(200)}`,
])("%s is nobody's signature", async (signature) => {
  expect(await signerOf("hello", signature)).toBeUndefined();
});
