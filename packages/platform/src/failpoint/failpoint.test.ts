import { InvariantViolation } from "@remit/kernel";
import { afterEach, expect, test } from "vitest";
import { failpoint, failpointOf, setFailpoint } from "./index.ts";

afterEach(() => setFailpoint(undefined));

test("nothing is armed unless somebody sets it, and an empty setting sets nothing", async () => {
  expect(failpointOf(undefined, "production")).toBeUndefined();
  expect(failpointOf("", "production")).toBeUndefined();
  await failpoint("charge.held");
});

test.each(["production", "development", undefined])("a failpoint under NODE_ENV=%s is refused", (nodeEnv) => {
  expect(() => failpointOf("charge.held:kill9", nodeEnv)).toThrow(InvariantViolation);
});

test.each(["charge.held", "charge.held:explode", ":kill9", "Charge:kill9", "a b:error"])(
  "the setting %s is refused",
  (setting) => {
    expect(() => failpointOf(setting, "test")).toThrow(InvariantViolation);
  },
);

test("an armed error strikes at its own name, once", async () => {
  setFailpoint(failpointOf("charge.held:error", "test"));
  await failpoint("charge.captured");
  await expect(failpoint("charge.held")).rejects.toThrow("charge.held");
  await failpoint("charge.held");
});
