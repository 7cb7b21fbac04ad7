import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { StartRefused } from "../host/index.ts";

/** Passwords of the login roles, kept outside the database. */
export type RolePasswords = { of(role: string): string };

/** Random passwords, made on first use and kept in a JSON file that only its owner can read. */
export function rolePasswords(file: string): RolePasswords {
  return {
    of(role) {
      const known = read(file);
      const password = known[role];
      if (password !== undefined) return password;
      const made = randomBytes(24).toString("base64url");
      write(file, { ...known, [role]: made });
      return made;
    },
  };
}

function read(file: string): Readonly<Record<string, string>> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return {};
  }
  const parsed: unknown = parse(text);
  const valid =
    typeof parsed === "object" &&
    parsed !== null &&
    Object.values(parsed).every((password) => typeof password === "string");
  if (valid) return parsed as Record<string, string>; // checked on the line above
  throw new StartRefused(`${file} is no list of passwords`, "Remove it: new passwords are made and set.");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Another process sees the former file or the new one, never half of it. */
function write(file: string, passwords: Readonly<Record<string, string>>): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(passwords, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}
