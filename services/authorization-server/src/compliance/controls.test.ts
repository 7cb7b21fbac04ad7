import { instantOf } from "@remit/kernel";
import { expect, test } from "vitest";
import { controlsOf, type Findings } from "./controls.ts";

const day = 86_400_000;
const now = instantOf(Date.UTC(2026, 0, 2));
const good: Findings = {
  now,
  issuer: "https://id.example",
  tables: { all: 40, unprotected: [] },
  unsafeRole: undefined,
  keys: { signing: 8, unwrapped: 0, oldestCurrentSince: instantOf(now - 30 * day) },
  audit: { logs: 3, broken: 0, oldestVerifiedAt: instantOf(now - 60_000), unsigned: 0, unverified: 0 },
};

const statusesOf = (found: Findings): object =>
  Object.fromEntries(controlsOf(found).map(({ id, status }) => [id, status]));
const all = { "CC6.1": "passing", "CC6.7": "passing", "CC7.2": "passing", "CC9.2": "passing" };

test("an installation in order passes every control", () => {
  expect(statusesOf(good)).toEqual(all);
});

const breaches: [string, Partial<Findings>, object][] = [
  [
    "a table without forced row security",
    { tables: { all: 40, unprotected: ["agents"] } },
    { "CC6.1": "failing" },
  ],
  ["no tables at all", { tables: { all: 0, unprotected: [] } }, { "CC6.1": "failing" }],
  ["a database role that sees past it", { unsafeRole: "is a superuser" }, { "CC6.1": "failing" }],
  ["a key that nobody encrypted", { keys: { ...good.keys, unwrapped: 1 } }, { "CC6.1": "failing" }],
  ["an issuer without TLS", { issuer: "http://id.example" }, { "CC6.7": "failing" }],
  ["a broken log", { audit: { ...good.audit, broken: 1 } }, { "CC7.2": "failing" }],
  [
    "a log not verified for three hours",
    { audit: { ...good.audit, oldestVerifiedAt: instantOf(now - day / 8) } },
    { "CC7.2": "unknown" },
  ],
  [
    "one log among verified ones that never was",
    { audit: { ...good.audit, unverified: 1 } },
    { "CC7.2": "unknown" },
  ],
  ["logs never verified", { audit: { ...good.audit, oldestVerifiedAt: undefined } }, { "CC7.2": "unknown" }],
  [
    "a key that signs for 94 days",
    { keys: { ...good.keys, oldestCurrentSince: instantOf(now - 94 * day) } },
    { "CC9.2": "failing" },
  ],
  ["no key yet", { keys: { ...good.keys, oldestCurrentSince: undefined } }, { "CC9.2": "unknown" }],
];
test.each(breaches)("no control passes over %s, and no other one tells of it", (_what, found, told) => {
  expect(statusesOf({ ...good, ...found })).toEqual({ ...all, ...told });
});
