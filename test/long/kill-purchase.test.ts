import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Fleet, type Member, startFleet } from "../fleet.ts";
import { type Bought, type Buyer, expectWhole, newBuyer } from "../fleet-buyer.ts";

// Every program is a process of its own. One dies, or stumbles, at a named state while an agent buys, and starts again.
let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet();
});
afterAll(async () => {
  await fleet?.close();
});

type Struck = { readonly buyer: Buyer; readonly first: Bought };

async function buyWhileItDies(member: Member, failpoint: string): Promise<Struck> {
  const buyer = await newBuyer(fleet);
  await fleet.restart(member, `${failpoint}:kill9`);
  const buying = buyer.buy();
  await fleet.died(member);
  await fleet.restart(member);
  return { buyer, first: await buying };
}

/** The upstream fails, so what dies is on its way to give the money back. */
async function releaseWhileItDies(member: Member, failpoint: string): Promise<Struck> {
  await fleet.sandbox.upstream({ answer: "500", times: 1 });
  return await buyWhileItDies(member, failpoint);
}

async function buyWhileItStumbles(member: Member, failpoint: string): Promise<Struck> {
  const buyer = await newBuyer(fleet);
  await fleet.restart(member, failpoint);
  return { buyer, first: await buyer.buy() };
}

describe("M01 M02 M03 M04 M05 M06 before the commit point a charge is paid or released, and the budget is whole", () => {
  test.each<[string, string, Member]>([
    ["M01", "charge.held", "authorization-server"],
    ["M02", "payment.authorizing", "billing"],
    ["M02", "payment.authorizing.sent", "billing"],
    ["M02", "payment.authorized", "billing"],
    ["M03", "charge.authorized", "authorization-server"],
  ])("%s kill -9 at %s of the %s", async (_, failpoint, member) => {
    const { buyer } = await buyWhileItDies(member, failpoint);
    await expectWhole(buyer);
  });

  test.each([
    ["M01", "gateway.claimed"],
    ["M03", "gateway.charged"],
    ["M04", "gateway.serving"],
    ["M05", "gateway.served"],
    ["M06", "gateway.capturing"],
  ])("%s kill -9 at %s: the buyer got nothing and pays nothing", async (_, failpoint) => {
    const { buyer, first } = await buyWhileItDies("gateway", failpoint);
    expect(first.kind).not.toBe("goods");
    expect(await expectWhole(buyer)).toBe("unpaid");
  });

  test.each<[string, string, Member]>([
    ["M01", "charge.held:error", "authorization-server"],
    ["M02", "payment.authorizing.sent:error", "billing"],
    ["M05", "gateway.served:error", "gateway"],
  ])("%s a fault at %s of the %s", async (_, failpoint, member) => {
    const { buyer } = await buyWhileItStumbles(member, failpoint);
    await expectWhole(buyer);
  });
});

describe("M06 M07 after the commit point a charge is captured, once, and the goods wait for who paid", () => {
  test.each<[string, string, Member]>([
    ["M06", "charge.capturing", "authorization-server"],
    ["M06", "payment.capturing", "billing"],
    ["M06", "payment.capturing.sent", "billing"],
    ["M07", "payment.captured", "billing"],
    ["M07", "charge.captured", "authorization-server"],
  ])("%s kill -9 at %s of the %s", async (_, failpoint, member) => {
    const { buyer } = await buyWhileItDies(member, failpoint);
    expect(await expectWhole(buyer)).toBe("paid");
  });

  test("M08 kill -9 at gateway.captured: the same credential gets the stored answer with its receipt", async () => {
    const { buyer, first } = await buyWhileItDies("gateway", "gateway.captured");
    // Lost, or already asked for once more: the first answer died with the gateway.
    expect(first).not.toMatchObject({ replayed: false });
    const again = await buyer.again();
    expect(again).toMatchObject({ kind: "goods", replayed: true });
    expect(await buyer.again()).toEqual(again);
    expect(await expectWhole(buyer)).toBe("paid");
  });

  test.each<[string, string, Member]>([
    ["M06", "charge.capturing:error", "authorization-server"],
    ["M06", "payment.capturing.sent:error", "billing"],
  ])("%s a fault at %s of the %s", async (_, failpoint, member) => {
    const { buyer } = await buyWhileItStumbles(member, failpoint);
    expect(await expectWhole(buyer)).toBe("paid");
  });
});

test("M06 billing hangs after Stripe has captured, and is killed: the buyer has its goods", async () => {
  const buyer = await newBuyer(fleet);
  await fleet.restart("billing", "payment.capturing.sent:hang");
  const buying = buyer.buy();
  await eventually(async () =>
    expect((await buyer.intents()).map(({ status }) => status)).toEqual(["succeeded"]),
  );
  await fleet.kill("billing");
  await fleet.restart("billing");
  await buying;
  expect(await expectWhole(buyer)).toBe("paid");
});

describe("kill -9 at any moment", () => {
  test.each<[Member]>([["authorization-server"], ["billing"], ["gateway"]])(
    "of the %s, while several agents buy: each purchase is paid once or not at all",
    async (member) => {
      const buyers = await Promise.all(Array.from({ length: 4 }, () => newBuyer(fleet)));
      const known = (await fleet.sandbox.paymentIntents()).length;
      const buying = buyers.map((buyer) => buyer.buy());
      // The first of them has its money held; where the others are, nobody knows.
      await eventually(async () =>
        expect((await fleet.sandbox.paymentIntents()).length).toBeGreaterThan(known),
      );
      await fleet.kill(member);
      await fleet.restart(member);
      await Promise.all(buying);
      await Promise.all(buyers.map(expectWhole));
    },
  );

  test("of the directory: a charge waits for what only the directory knows", async () => {
    const buyer = await newBuyer(fleet);
    await fleet.kill("directory");
    await fleet.restart("authorization-server");
    const buying = buyer.buy();
    await fleet.restart("directory");
    expect(await buying).toMatchObject({ kind: "goods" });
    expect(await expectWhole(buyer)).toBe("paid");
  });
});

describe("M14 a release is repeated until the money is back", () => {
  test.each<[string, Member]>([
    ["charge.releasing", "authorization-server"],
    ["payment.releasing", "billing"],
    ["payment.releasing.sent", "billing"],
  ])("kill -9 at %s of the %s", async (failpoint, member) => {
    const { buyer, first } = await releaseWhileItDies(member, failpoint);
    expect(first).toMatchObject({ kind: "refused", status: 500 });
    expect(await expectWhole(buyer)).toBe("unpaid");
  });
});
