import { Problem } from "@remit/protocol";
import { expect, test } from "vitest";
import { createLog, createMetrics } from "./index.ts";

/** A log and the lines it wrote. */
const logTo = (plain = false) => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, log: createLog({ service: "test", level: "debug", destination, plain }) };
};

test.each([true, false])(
  "L14 line breaks and control characters never start a line of their own (plain: %s)",
  (plain) => {
    const { lines, log } = logTo(plain);
    const evil =
      'GET /\r\n{"level":"info","msg":"admin logged in"}\u001b[2K\u001b]0;title\u0007\u009b31m\u2028\u202e';
    log.info({ path: evil, err: new Error(evil) }, evil);
    expect(lines).toHaveLength(1);
    const text = lines[0] ?? "";
    expect(text.endsWith("\n")).toBe(true);
    expect(text.slice(0, -1)).not.toMatch(/\p{Cc}|\u2028|\u202e/u);
    if (!plain) expect(JSON.parse(text)).toMatchObject({ path: evil });
  },
);

test("L14 a huge text is cut", () => {
  const { lines, log } = logTo();
  log.info({}, "a".repeat(1_000_000));
  expect(lines[0]?.length).toBeLessThan(5_000);
});

const secrets = [
  "authorization",
  "cookie",
  "dpop",
  "access_token",
  "refresh_token",
  "presentation",
  "client_secret",
  "password",
  "token",
  "spt",
];

test.each(secrets)("%s is redacted, as far down as we log", (name) => {
  const { lines, log } = logTo();
  const value = { [name]: "hunter2" };
  log
    .child({ ...value })
    .info({ ...value, headers: value, request: { headers: value, body: { form: value } } }, "seen");
  expect(lines[0]).not.toContain("hunter2");
  expect(lines[0]).toContain("[secret]");
});

test("an error is logged with its private part and its cause, without properties of strangers", () => {
  const { lines, log } = logTo();
  const stranger = Object.assign(new Error("refused"), { code: "E1", config: { apiKey: "hunter2" } });
  log.error({ err: new Problem("unavailable", { private: { route: "r1" }, cause: stranger }) }, "failed");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: "error",
    err: { private: { route: "r1" }, cause: { message: "refused", code: "E1" } },
  });
  expect(lines[0]).not.toContain("hunter2");
});

test("metrics count requests by route and status, and read the pool when scraped", async () => {
  const metrics = createMetrics("billing");
  metrics.observeRequest({ method: "GET", route: "/api/v1/payments/:id", status: 200, seconds: 0.02 });
  metrics.watchPool("main", () => ({ total: 3, idle: 1, waiting: 2 }));
  const text = await metrics.text();
  expect(text).toContain(
    'http_requests_total{method="GET",route="/api/v1/payments/:id",status="200",status_code="200",service="billing"} 1',
  );
  expect(text).toContain('http_request_duration_seconds_bucket{le="0.025"');
  expect(text).toContain('db_pool_connections{pool="main",state="waiting",service="billing"} 2');
});

test("two services in one process count apart", async () => {
  const [one, two] = [createMetrics("one"), createMetrics("two")];
  one.observeRequest({ method: "GET", route: "/", status: 200, seconds: 0.01 });
  expect(await two.text()).not.toContain('service="one"');
});
