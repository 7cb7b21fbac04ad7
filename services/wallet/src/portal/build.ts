import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { StartRefused } from "@remit/platform/host";
import type { Log } from "@remit/platform/telemetry";

/** Where the application's source is, and what is made of it. */
const app = fileURLToPath(new URL("../../app/", import.meta.url));
const built = path.join(app, "build");
const stamp = path.join(built, ".made-of");
const lock = path.join(app, ".building");
/** What the application is made of besides its own source. */
const shared = [
  "../../../../packages/kernel/src/",
  "../../../../packages/protocol/src/",
  "../proof/",
  "../refusals/",
  "../showing/",
].map((folder) => fileURLToPath(new URL(folder, import.meta.url)));

const lockStaleMs = 120_000;

/**
 * The built application's folder. It is built again when its source has changed since, which takes some seconds; several
 * processes that start at once take turns, and the later ones find it made.
 */
export async function builtPortal(log: Log): Promise<string> {
  const wanted = await fingerprint();
  if ((await madeOf()) === wanted) return built;
  const release = await takeTurn(async () => (await madeOf()) === wanted);
  if (release === undefined) return built;
  try {
    if ((await madeOf()) === wanted) return built;
    log.info({ app }, "the portal is being built");
    await build();
    await writeFile(stamp, wanted);
    return built;
  } finally {
    await release();
  }
}

const madeOf = (): Promise<string | undefined> => readFile(stamp, "utf8").catch(() => undefined);

async function fingerprint(): Promise<string> {
  const hash = createHash("sha256").update(process.version);
  const own = ["src", "static", "package.json", "vite.config.ts"].map((name) => path.join(app, name));
  for (const place of [...own, ...shared])
    for (const file of await filesIn(place))
      if (!file.endsWith(".test.ts")) hash.update(path.relative(app, file)).update(await readFile(file));
  return hash.digest("base64url");
}

async function filesIn(place: string): Promise<string[]> {
  const found = await stat(place).catch(() => undefined);
  if (found === undefined) return [];
  if (found.isFile()) return [place];
  const entries = await readdir(place, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** Undefined when somebody else has done it meanwhile. */
async function takeTurn(done: () => Promise<boolean>): Promise<(() => Promise<void>) | undefined> {
  for (;;) {
    try {
      await mkdir(lock);
      return () => rm(lock, { recursive: true, force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    if (await done()) return undefined;
    const since = (await stat(lock).catch(() => undefined))?.mtimeMs;
    // Whoever built was killed: its lock is older than any build.
    if (since !== undefined && (await ageMs(since)) > lockStaleMs)
      await rm(lock, { recursive: true, force: true });
    await pause(200);
  }
}

/** By the clock of the file system, which wrote the other time as well. */
async function ageMs(since: number): Promise<number> {
  const probe = `${lock}-${process.pid}`;
  await writeFile(probe, "");
  const { mtimeMs } = await stat(probe);
  await rm(probe, { force: true });
  return mtimeMs - since;
}

async function build(): Promise<void> {
  const vite = path.join(
    path.dirname(createRequire(import.meta.url).resolve("vite/package.json")),
    "bin/vite.js",
  );
  const kit = path.join(
    path.dirname(createRequire(import.meta.url).resolve("@sveltejs/kit/package.json")),
    "svelte-kit.js",
  );
  await run([kit, "sync"]);
  await run([vite, "build", "--logLevel", "warn"]);
}

async function run(args: readonly string[]): Promise<void> {
  const child = spawn(
    process.execPath,
    ["--conditions=@remit/src", "--disable-warning=ExperimentalWarning", ...args],
    {
      cwd: app,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("exit", resolve),
  );
  if (code !== 0)
    throw new StartRefused(`the portal could not be built:\n${said}`, "Mend what the builder names above.");
}
