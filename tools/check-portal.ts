import { spawnSync } from "node:child_process";
import path from "node:path";

/** The portal's pages: their types, and what the compiler warns of (accessibility above all). Nothing may be warned of. */
const root = path.resolve(import.meta.dirname, "..");
const app = path.join(root, "services/wallet/app");
const modules = path.join(root, "node_modules");

const run = (...args: string[]): number =>
  spawnSync(process.execPath, ["--conditions=@remit/src", "--disable-warning=ExperimentalWarning", ...args], {
    cwd: app,
    stdio: "inherit",
  }).status ?? 1;

process.exitCode =
  run(path.join(modules, "@sveltejs/kit/svelte-kit.js"), "sync") ||
  run(path.join(modules, "svelte-check/bin/svelte-check"), "--fail-on-warnings", "--output", "human-verbose");
