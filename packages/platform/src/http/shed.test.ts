import { eventually } from "@remit/testkit";
import { expect, test } from "vitest";
import { serve } from "../../test/serving.ts";
import type { Pressure } from "../host/index.ts";
import { type Mount, nothing, route } from "./index.ts";

test("D12 under pressure each door answers 503 before anything is begun, and who looks after us hears that we live", async () => {
  let reason: ReturnType<Pressure["reason"]>;
  let underWay = 0;
  const begun: string[] = [];
  const pressure: Pressure = {
    reason: () => reason,
    begin: () => {
      underWay += 1;
      return () => void (underWay -= 1);
    },
    stop: () => undefined,
  };
  const mount: Mount = {
    paths: ["/pay"],
    handle: async ({ raw: { res } }) => {
      begun.push("/pay");
      res.end("paid");
    },
  };
  const work = route({
    method: "POST",
    path: "/work",
    summary: "Works.",
    needs: "public",
    answers: { 204: nothing },
    handle: () => {
      begun.push("/work");
      return { status: 204 };
    },
  });
  const origin = await serve([work], { pressure, mounts: [mount] });
  const ask = async (path: string) => {
    const answer = await fetch(origin + path, { method: "POST" });
    return { answer, text: await answer.text() };
  };
  for (const path of ["/work", "/pay", "/pay?routed=1"]) expect((await ask(path)).answer.ok).toBe(true);
  expect(begun).toEqual(["/work", "/pay", "/pay"]);
  await eventually(() => expect(underWay).toBe(0));
  for (const why of ["blocked", "crowded", "memory"] as const) {
    reason = why;
    for (const path of ["/work", "/pay", "/pay?routed=1"]) {
      const { answer, text } = await ask(path);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      // Which limit it was is nobody's business.
      expect(text).toContain('"unavailable"');
      expect(text).not.toContain(why);
    }
    expect((await fetch(`${origin}/livez`)).status).toBe(200);
  }
  expect(begun).toHaveLength(3);
  reason = undefined;
  expect((await ask("/work")).answer.status).toBe(204);
});
