import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { copyOf, findBinaries } from "./binaries.ts";

let closed: string;
let copies: string[] = [];

beforeEach(() => {
  closed = mkdtempSync(path.join(tmpdir(), "remit-closed-"));
  const native = path.join(closed, "native");
  mkdirSync(path.join(native, "bin"), { recursive: true });
  writeFileSync(path.join(native, "bin", "postgres"), "a program", { mode: 0o755 });
  writeFileSync(path.join(native, "libpq.so.5.18"), "a library");
  writeFileSync(
    path.join(native, "pg-symlinks.json"),
    JSON.stringify([{ source: "native/libpq.so.5.18", target: "native/libpq.so.5" }]),
  );
});
afterEach(() => {
  for (const place of [closed, ...copies]) rmSync(place, { recursive: true, force: true });
  copies = [];
});

const copy = (): string => {
  const made = copyOf(path.join(closed, "native"), "18.4");
  copies.push(path.dirname(made));
  return made;
};

test("npm's binaries are found with their libraries' short names, although no install script ran", () => {
  const { directory, major } = findBinaries();
  expect(major).toBeGreaterThanOrEqual(18);
  expect(existsSync(path.join(directory, "bin", "postgres"))).toBe(true);
});

test("a copy can be read by every user, links and modes included, and is made once", () => {
  const made = copy();
  expect(statSync(path.dirname(made)).mode & 0o777).toBe(0o755);
  expect(statSync(path.join(made, "bin", "postgres")).mode & 0o111).toBe(0o111);
  expect(readlinkSync(path.join(made, "libpq.so.5"))).toBe("libpq.so.5.18");
  writeFileSync(path.join(closed, "native", "bin", "postgres"), "changed");
  expect(readFileSync(path.join(copy(), "bin", "postgres"), "utf8")).toBe("a program");
});

test("programs that others may have put into the temporary directory are not run", () => {
  chmodSync(path.dirname(copy()), 0o777);
  expect(() => copy()).toThrow("belongs to somebody else");
});
