#!/usr/bin/env node
// The one door for people and scripts: installs what is missing, then runs Remit under Node 24 as npm delivers it.
// It is started by whatever Node the machine has, so it stays plain JavaScript that Node 20 can parse.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const modules = path.join(root, "node_modules");
const lockDirectory = path.join(root, ".remit-install");
const lockStaleMs = 15 * 60_000;
const nodeMinimum = [22, 18];

const programs = {
  check: ["tools/check.ts"],
  bench: ["bench/main.ts"],
  interop: ["interop/main.ts"],
  screenshots: ["tools/screenshots.ts"],
  tidy: ["tools/tidy/main.ts"],
  test: ["node_modules/vitest/vitest.mjs", "run", "--reporter=default", "--reporter=./tools/totals.ts"],
};

main().catch((error) => {
  process.stderr.write(`remit: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

async function main() {
  const [command = "help", ...rest] = process.argv.slice(2);
  await installOnce(root);
  // Clients and servers of other makers: installed where they are used, and nowhere near what we ship.
  if (command === "interop") await installOnce(path.join(root, "interop"));
  const [program, ...fixed] = programs[command] ?? ["packages/cli/src/main.ts", command];
  await runUnderNode24(
    [path.join(root, program), ...fixed, ...rest],
    program.startsWith("packages/cli") ? undefined : root,
  );
}

async function installOnce(place) {
  const stampFile = path.join(place, "node_modules", ".remit-lockfile");
  const wanted = createHash("sha256")
    .update(readFileSync(path.join(place, "package-lock.json")))
    .digest("hex");
  const installed = () => existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted;
  if (installed()) return;
  const release = await takeTurn(installed);
  try {
    if (installed()) return;
    await install(place);
    writeFileSync(stampFile, wanted);
  } finally {
    release();
  }
}

/** Two first commands at once must not install into one another: the second waits for the first. */
async function takeTurn(installed) {
  for (;;) {
    try {
      mkdirSync(lockDirectory);
      const release = () => rmSync(lockDirectory, { recursive: true, force: true });
      process.once("exit", release);
      return release;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (installed()) return () => {};
    if (Date.now() - (statSync(lockDirectory, { throwIfNoEntry: false })?.mtimeMs ?? 0) > lockStaleMs)
      rmSync(lockDirectory, { recursive: true, force: true });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function install(place) {
  // `npm ci` refuses the lockfile wherever the registry lacks one of the optional platform packages.
  const flags = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { command, before } = npm();
  const started = Date.now();
  const note = progress(
    () => `Installing packages, once per version: ${Math.round((Date.now() - started) / 1000)} s`,
  );
  const child = spawn(command, before.concat(flags), {
    cwd: place,
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
    shell: command === "npm" && process.platform === "win32",
  });
  child.stdout.resume();
  const stop = () => child.kill("SIGTERM");
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  process.off("SIGINT", stop).off("SIGTERM", stop);
  note.end();
  if (code !== 0) throw new Error("the packages could not be installed; npm's own words stand above");
}

function npm() {
  const own = process.env.npm_execpath;
  return own?.endsWith("npm-cli.js")
    ? { command: process.execPath, before: [own] }
    : { command: "npm", before: [] };
}

/** What an outer npm or npx set for its own command would steer the inner npm to another place. */
function cleanEnvironment() {
  const inherited = /^npm_(lifecycle|package|command|node_execpath|execpath)/;
  const steering =
    /^npm_config_(package|call|yes|workspaces?|include_workspace_root|prefix|local_prefix|global|global_prefix|dry_run|omit|only|production)$/;
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !inherited.test(name) && !steering.test(name) && name !== "INIT_CWD",
    ),
  );
}

function progress(text) {
  const terminal = process.stderr.isTTY;
  const show = () => process.stderr.write(terminal ? `\r${text()}` : `${text()}\n`);
  show();
  const timer = setInterval(show, terminal ? 1000 : 15_000);
  return {
    end() {
      clearInterval(timer);
      if (terminal) process.stderr.write("\n");
    },
  };
}

function node24() {
  const system = process.platform === "win32" ? "win" : process.platform;
  const own = path.join(
    modules,
    `node-${system}-${process.arch}`,
    "bin",
    process.platform === "win32" ? "node.exe" : "node",
  );
  if (existsSync(own)) return own;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > nodeMinimum[0] || (major === nodeMinimum[0] && minor >= nodeMinimum[1]))
    return process.execPath;
  throw new Error(
    `npm delivers no Node 24 for this system: install Node ${nodeMinimum.join(".")} or newer (this is ${process.version})`,
  );
}

async function runUnderNode24(args, cwd) {
  const node = node24();
  const env = {
    // Half of every start would be to translate the same code again.
    NODE_COMPILE_CACHE: path.join(modules, ".cache", "remit-node"),
    ...process.env,
    PATH: `${path.join(modules, ".bin")}${path.delimiter}${process.env.PATH ?? ""}`,
  };
  const flags = ["--conditions=@remit/src", "--disable-warning=ExperimentalWarning"];
  const child = spawn(node, [...flags, ...args], { cwd: cwd ?? process.cwd(), env, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  watchParent(() => child.kill("SIGTERM"));
  const [code, signal] = await new Promise((resolve, reject) =>
    child.once("error", reject).once("exit", (...outcome) => resolve(outcome)),
  );
  process.exit(code ?? (signal === "SIGINT" ? 130 : 143));
}

/** A launcher whose parent is gone has nobody left to serve: npm was killed, or its terminal closed. */
function watchParent(gone) {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && gone(), 500).unref();
}
