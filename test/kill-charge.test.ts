import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Fleet, type Member, startFleet } from "./fleet.ts";
import { expectWhole, newBuyer } from "./fleet-buyer.ts";

// Every program is a process of its own and dies by kill -9 at a state of the charge, while an agent buys.
let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet();
});
afterAll(async () => {
  await fleet?.close();
});

async function buyWhileItDies(member: Member, failpoint: string) {
  const buyer = await newBuyer(fleet);
  await fleet.restart(member, `${failpoint}:kill9`);
  const buying = buyer.buy();
  await fleet.died(member);
  await fleet.restart(member);
  await buying;
  return await expectWhole(buyer);
}

describe("kill -9 of the authorization server", () => {
  test.each([
    ["M01", "charge.held"],
    ["M03", "charge.authorized"],
    ["M06", "charge.capturing"],
    ["M07", "charge.captured"],
  ])("%s at %s", async (_, failpoint) => {
    await buyWhileItDies("authorization-server", failpoint);
  });
});

describe("kill -9 of billing", () => {
  test.each([
    ["M02", "payment.authorizing"],
    ["M02", "payment.authorizing.sent"],
    ["M06", "payment.capturing"],
    ["M06", "payment.capturing.sent"],
    ["M07", "payment.captured"],
  ])("%s at %s", async (_, failpoint) => {
    await buyWhileItDies("billing", failpoint);
  });
});
