import { existsSync } from "node:fs";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";

export type BrowserFiles = {
  readonly executable: string;
  /** What the browser's own process needs in its environment; ours stays as it is. */
  readonly env: Readonly<Record<string, string>>;
};

const archives = ["chromium.br", "al2023.tar.br", "fonts.tar.br", "swiftshader.tar.br"];

/**
 * The browser that npm delivered, unpacked once per version (3 s, 200 MB in the system's temporary directory). Several
 * test files may come at once: each unpacks beside, the first to end gives its directory the name that all look for,
 * so nobody ever starts half a browser.
 */
export async function browserFiles(): Promise<BrowserFiles> {
  const manifest = manifestOf("@sparticuz/chromium");
  const { version } = Object(JSON.parse(await readFile(manifest, "utf8")));
  const home = path.join(tmpdir(), `remit-browser-${String(version)}`);
  if (!existsSync(home)) await unpackTo(home, path.join(path.dirname(manifest), "bin"));
  return {
    executable: path.join(home, "chromium"),
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      LD_LIBRARY_PATH: path.join(home, "al2023", "lib"),
      FONTCONFIG_PATH: home,
    },
  };
}

/** The package hides its manifest behind `exports`, so it is looked for where packages stand. */
function manifestOf(name: string): string {
  const places = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const found = places.map((place) => path.join(place, name, "package.json")).find(existsSync);
  if (found === undefined) throw new RangeError(`${name} is not installed`);
  return found;
}

async function unpackTo(home: string, bin: string): Promise<void> {
  const { inflate } = await import("@sparticuz/chromium");
  const beside = await mkdtemp(`${home}-`);
  // The package unpacks into whatever is the temporary directory when it is called, and reads it once, at the call.
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = beside;
  const unpacked = archives.map((name) => inflate(path.join(bin, name)));
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  await Promise.all(unpacked);
  const fonts = [path.join(home, "fonts"), "/usr/share/fonts", "/System/Library/Fonts"];
  await writeFile(
    path.join(beside, "fonts.conf"),
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>${fonts
      .map((dir) => `<dir>${dir}</dir>`)
      .join("")}<cachedir>${path.join(home, "fonts-cache")}</cachedir></fontconfig>`,
  );
  try {
    await rename(beside, home);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    if (!existsSync(home)) throw error;
  }
}
