import type { ServerResponse } from "node:http";
import { systemClock } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { expect, test } from "vitest";
import { z } from "zod";
import { serve } from "../../test/serving.ts";
import { type Pressure, watchPressure } from "../host/index.ts";
import { type Mount, nothing, page, route, setAside } from "./index.ts";

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
    for (const path of ["/livez", "/readyz", "/ready", "/ready?from=lb", "/health"])
      expect([path, (await fetch(origin + path)).status]).toEqual([path, 200]);
  }
  expect(begun).toHaveLength(3);
  reason = undefined;
  expect((await ask("/work")).answer.status).toBe(204);
});

test("D12 what only waits for news, and a stream once its head is sent, is no work under way", async () => {
  const pressure = watchPressure({ clock: systemClock, underWayMax: 1 });
  const news = Promise.withResolvers<void>();
  const streams: ServerResponse[] = [];
  const waits = route({
    method: "GET",
    path: "/news",
    summary: "Waits.",
    needs: "public",
    answers: { 200: z.object({ stayed: z.boolean(), room: z.boolean() }) },
    handle: async (call) => {
      const stayed = await call.waits(news.promise);
      return { status: 200, body: { stayed, room: pressure.reason("sheddable") === undefined } };
    },
  });
  const quick = route({
    method: "GET",
    path: "/quick",
    summary: "Answers.",
    needs: "public",
    answers: { 204: nothing },
    handle: () => ({ status: 204 }),
  });
  const stream: Mount = {
    paths: ["/stream"],
    handle: ({ raw: { res } }) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.flushHeaders();
      setAside(res);
      streams.push(res);
    },
  };
  const origin = await serve([waits, quick], { pressure, mounts: [stream] });
  const open = await fetch(`${origin}/stream`);
  expect(pressure.reason("sheddable")).toBeUndefined();
  const waiting = fetch(`${origin}/news`);
  await eventually(async () => expect((await fetch(`${origin}/quick`)).status).toBe(204));
  expect((await fetch(`${origin}/quick`)).status).toBe(204);
  news.resolve();
  // What goes on counts again, and what has ended counts once.
  expect(await (await waiting).json()).toEqual({ stayed: true, room: false });
  for (const res of streams) res.end();
  await open.text();
  await eventually(() => expect(pressure.reason("sheddable")).toBeUndefined());
  pressure.begin();
  expect(pressure.reason("sheddable")).toBe("crowded");
});

test("D12 what ends or gives back is served while what is new is refused, and refused itself at a limit of its own", async () => {
  const pressure = watchPressure({ clock: systemClock, underWayMax: 2, critical: { underWayMax: 3 } });
  const stays = Promise.withResolvers<void>();
  const done = () => ({ status: 204 }) as const;
  const declared = { method: "POST", summary: "Works.", needs: "public", answers: { 204: nothing } } as const;
  const waits = async () => {
    await stays.promise;
    return done();
  };
  const routes = [
    route({ ...declared, path: "/charge", handle: done }),
    route({ ...declared, path: "/capture", criticality: "critical", handle: done }),
    route({ ...declared, path: "/long", criticality: "critical", handle: waits }),
    page({
      method: "POST",
      path: "/deny",
      criticality: "critical",
      handle: () => ({ status: 200, html: "denied" }),
    }),
  ];
  const mount: Mount = {
    paths: ["/revoke"],
    criticality: ({ url = "" }) => (url.includes("new") ? "sheddable" : "critical"),
    handle: async ({ raw: { res } }) => void res.end("revoked"),
  };
  const origin = await serve(routes, { pressure, mounts: [mount] });
  const post = async (path: string) => (await fetch(origin + path, { method: "POST" })).status;
  const underWay = [post("/long"), post("/long")];
  await eventually(() => expect(pressure.reason("sheddable")).toBe("crowded"));
  for (const path of ["/charge", "/revoke?new=1", "/nothing"])
    expect([path, await post(path)]).toEqual([path, 503]);
  // A query takes the way of the router, which knows the mount as well.
  for (const path of ["/capture", "/deny", "/revoke", "/revoke?token=1"])
    expect([path, await post(path)]).not.toEqual([path, 503]);
  underWay.push(post("/long"));
  await eventually(() => expect(pressure.reason("critical")).toBe("crowded"));
  for (const path of ["/charge", "/capture", "/deny", "/revoke", "/revoke?token=1"])
    expect([path, await post(path)]).toEqual([path, 503]);
  stays.resolve();
  expect(await Promise.all(underWay)).toEqual([204, 204, 204]);
});
