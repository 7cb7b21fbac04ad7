import { InvariantViolation } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { expect, test } from "vitest";
import { createBatches } from "./batches.ts";

/** A database that answers when it is told to. */
function slowDatabase() {
  const batches: { items: readonly number[]; end: PromiseWithResolvers<readonly number[]> }[] = [];
  const commit = (items: readonly number[]): Promise<readonly number[]> => {
    const end = Promise.withResolvers<readonly number[]>();
    batches.push({ items, end });
    return end.promise;
  };
  const answer = (index: number): void =>
    batches[index]?.end.resolve(batches[index].items.map((n) => n * 10));
  return { batches, commit, answer };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

test("who comes alone goes at once, and who comes meanwhile goes together", async () => {
  const { batches, commit, answer } = slowDatabase();
  const { add } = createBatches({ commit });
  const first = add(1);
  const others = [add(2), add(3), add(4)];
  expect(batches.map(({ items }) => items)).toEqual([[1]]);
  answer(0);
  expect(await first).toBe(10);
  await turns();
  expect(batches.map(({ items }) => items)).toEqual([[1], [2, 3, 4]]);
  answer(1);
  expect(await Promise.all(others)).toEqual([20, 30, 40]);
});

test("nothing is answered before its batch has committed", async () => {
  const { commit, answer } = slowDatabase();
  const { add } = createBatches({ commit });
  let answered = false;
  const waiting = add(1).then(() => {
    answered = true;
  });
  await turns();
  expect(answered).toBe(false);
  answer(0);
  await waiting;
});

test("a batch that fails refuses all of it and what waits behind it, and the next one goes on", async () => {
  const { batches, commit, answer } = slowDatabase();
  const { add } = createBatches({ commit });
  const refused = [add(1), add(2), add(3)].map((each) => each.catch((error: unknown) => error));
  batches[0]?.end.reject(new Problem("unavailable"));
  for (const error of await Promise.all(refused)) expect(error).toMatchObject({ code: "unavailable" });
  const again = add(4);
  answer(1);
  expect(await again).toBe(40);
});

test("D04 a batch that takes too long is refused, and the next one does not wait for it", async () => {
  const { batches, commit, answer } = slowDatabase();
  const { add } = createBatches({ commit, waitMsMax: 5 });
  const late = await add(1).catch((error: unknown) => error);
  expect(late).toMatchObject({ code: "unavailable", headers: { "retry-after": "2" } });
  const next = add(2);
  answer(1);
  expect(await next).toBe(20);
  batches[0]?.end.reject(new Error("its late failure is nobody's"));
  await turns();
});

test("D04 no more than so many wait, and none of a batch is left without an answer", async () => {
  const { commit, answer } = slowDatabase();
  const { add } = createBatches({ commit, queueMax: 1 });
  const first = add(1);
  const second = add(2);
  await expect(add(3)).rejects.toMatchObject({ code: "unavailable" });
  answer(0);
  await first;
  await turns();
  answer(1);
  await second;
  const wrong = createBatches<number, number>({ commit: async () => [] });
  await expect(wrong.add(1)).rejects.toBeInstanceOf(InvariantViolation);
});
