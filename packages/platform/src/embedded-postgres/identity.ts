import { spawnSync } from "node:child_process";
import { chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { StartRefused } from "../host/index.ts";
import { type Binaries, copyOf } from "./binaries.ts";

/** As whom the server runs: PostgreSQL refuses root. */
export type Identity = {
  readonly how: "same user" | "other user" | "user namespace";
  readonly binaries: string;
  /** Turns a program and its arguments into what is started. */
  wrap(
    program: string,
    args: readonly string[],
  ): { readonly command: string; readonly args: readonly string[] };
  readonly spawn: { readonly uid?: number; readonly gid?: number };
};

const unprivileged = "65534";
const unshare = ["--user", `--map-user=${unprivileged}`, `--map-group=${unprivileged}`];

/** Finds an identity that can run the programs and keep the data, and makes the data directory its own. */
export function identityFor(binaries: Binaries, dataDirectory: string): Identity {
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  if (process.getuid?.() !== 0) return plain("same user", binaries.directory, {});
  const user = systemUser();
  const reachable = user !== undefined && isTraversable(path.dirname(dataDirectory));
  if (reachable && isTraversable(binaries.directory)) return asUser(user, binaries.directory, dataDirectory);
  if (spawnSync("unshare", [...unshare, "true"]).status === 0)
    return inNamespace(binaries.directory, dataDirectory);
  if (reachable) return asUser(user, copyOf(binaries.directory, binaries.version), dataDirectory);
  throw new StartRefused(
    `root cannot run PostgreSQL, and no other user can reach ${path.dirname(dataDirectory)}`,
    "Start as another user, or put the data where others may pass (--data-dir /var/lib/remit).",
  );
}

const plain = (how: Identity["how"], binaries: string, spawn: Identity["spawn"]): Identity => ({
  how,
  binaries,
  spawn,
  wrap: (program, args) => ({ command: program, args }),
});

function inNamespace(binaries: string, dataDirectory: string): Identity {
  giveTo({ uid: 0, gid: 0 }, dataDirectory);
  return {
    how: "user namespace",
    binaries,
    spawn: {},
    wrap: (program, args) => ({ command: "unshare", args: [...unshare, program, ...args] }),
  };
}

function asUser(user: User, binaries: string, dataDirectory: string): Identity {
  giveTo(user, dataDirectory);
  return plain("other user", binaries, { uid: user.uid, gid: user.gid });
}

type User = { readonly uid: number; readonly gid: number };

/** initdb wants an entry in the list of users; `nobody` has one everywhere. */
function systemUser(): User | undefined {
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const found = users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody");
  return found?.[2] === undefined ? undefined : { uid: Number(found[2]), gid: Number(found[3]) };
}

/** True when every user may pass through the directory and all above it. */
function isTraversable(directory: string): boolean {
  for (let place = path.resolve(directory); ; place = path.dirname(place)) {
    if ((statSync(place).mode & 0o001) === 0) return false;
    if (place === path.dirname(place)) return true;
  }
}

/** A cluster that was made under another identity, on a machine that has changed, is handed over. */
function giveTo(user: User, directory: string): void {
  if (lstatSync(directory).uid === user.uid) return;
  const visit = (place: string): void => {
    if (lstatSync(place).isDirectory()) for (const name of readdirSync(place)) visit(path.join(place, name));
    if (!lstatSync(place).isSymbolicLink()) chownSync(place, user.uid, user.gid);
  };
  visit(directory);
}
