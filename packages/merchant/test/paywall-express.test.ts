import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { newId } from "@remit/kernel";
import express, { type RequestHandler } from "express";
import { expect, onTestFinished, test } from "vitest";
import { expressPaywall, type Payer, type Paywall } from "../src/index.ts";

type Finish = Extract<Awaited<ReturnType<Paywall["enter"]>>, { kind: "serve" }>["finish"];

const sale = { name: "A report", sku: "report", amountMinor: 1000, currency: "USD" };
const payer: Payer = {
  rail: "mandate",
  payer: "agent",
  chargeId: newId("charge"),
  mandateId: newId("mandate"),
  agentId: newId("agent"),
};

/** An Express behind a paywall at which everybody has paid. */
async function shop(finish: Finish, handler: RequestHandler): Promise<string> {
  const app = express();
  const paywall: Paywall = {
    origin: "https://shop.example",
    enter: async () => ({ kind: "serve", payer, finish }),
  };
  app.set("env", "test"); // or it tells the terminal of every error
  app.get("/report", expressPaywall(paywall, sale), handler);
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // A server that listens on a port has an address of this shape.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/report`;
}

test("M11 who leaves before the handler has answered is not charged, and the late answer goes nowhere", async () => {
  const finished = Promise.withResolvers<number>();
  let runs = 0;
  const finish: Finish = async (answer) => {
    runs += 1;
    finished.resolve(answer.status);
    return answer;
  };
  const started = Promise.withResolvers<() => void>();
  const url = await shop(finish, (_, res) => started.resolve(() => void res.end("late")));
  const asking = request(url).on("error", () => undefined);
  asking.end();
  const answerLate = await started.promise;
  asking.destroy();
  expect(await finished.promise).toBe(500);
  answerLate();
  expect(runs).toBe(1);
});

test("M11 a store that fails after the handler is told to the client, who is not left waiting", async () => {
  const url = await shop(
    () => Promise.reject(new Error("the store is gone")),
    (_, res) => void res.json({ secret: "the report" }),
  );
  const answer = await fetch(url);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("the report");
});

test("M11 a handler whose last words cannot be kept has thrown, and is not paid for", async () => {
  const seen: number[] = [];
  const url = await shop(
    async (answer) => {
      seen.push(answer.status);
      return answer;
    },
    (_, res) => void res.end("00ff", "hex"),
  );
  expect((await fetch(url)).status).toBe(500);
  expect(seen).toEqual([500]);
});
