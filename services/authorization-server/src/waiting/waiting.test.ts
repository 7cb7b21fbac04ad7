import { newId } from "@remit/kernel";
import { expect, test } from "vitest";
import { createWaiting } from "./waiting.ts";

/** Waiting whose channel the test speaks on, and what of it came back, in order. */
function waitingFor() {
  let heard: (about?: string) => void = () => undefined;
  const waiting = createWaiting(
    {
      listen: (_channel, listener) => {
        heard = listener;
        return () => undefined;
      },
    },
    "news",
  );
  const woken: string[] = [];
  const next = (name: string, principal: Parameters<typeof waiting.next>[0]) =>
    waiting.next(principal).then(() => woken.push(name));
  return { waiting, woken, next, say: (about?: string) => heard(about) };
}

test("a change of one person's approvals wakes all who wait for them, and nobody else", async () => {
  const { waiting, woken, next, say } = waitingFor();
  const [ada, bob] = [newId("account"), newId("account")];
  const ofAda = [next("a1", ada), next("a2", ada)];
  const ofBob = next("b", bob);
  say(ada);
  await Promise.all(ofAda);
  expect(woken).toEqual(["a1", "a2"]);
  say(bob);
  await ofBob;
  expect(woken).toEqual(["a1", "a2", "b"]);
  waiting.close();
});

test.each([undefined, ""])(
  "news that says nothing (%j) wakes everybody: some may have been missed",
  async (about) => {
    const { waiting, woken, next, say } = waitingFor();
    const all = [next("a", newId("account")), next("b", newId("account"))];
    say(about);
    await Promise.all(all);
    expect(woken).toEqual(["a", "b"]);
    waiting.close();
  },
);

test("who waits when it closes goes, and nobody waits after", async () => {
  const { waiting, woken, next } = waitingFor();
  const ada = newId("account");
  const before = next("before", ada);
  waiting.close();
  await before;
  await next("after", ada);
  expect(woken).toEqual(["before", "after"]);
});

test("D12 no more than 20 requests of one person wait at once; another's are not counted, and who leaves makes room", () => {
  const { waiting } = waitingFor();
  const [ada, bob] = [newId("account"), newId("account")];
  const ofAda = Array.from({ length: 20 }, () => waiting.take(ada));
  expect(() => waiting.take(ada)).toThrow(expect.objectContaining({ code: "rate_limited" }));
  waiting.take(bob);
  ofAda[0]?.();
  waiting.take(ada);
  expect(() => waiting.take(ada)).toThrow(expect.objectContaining({ code: "rate_limited" }));
  waiting.close();
});
