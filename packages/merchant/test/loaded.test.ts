import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

// Every module that an import of the SDK loads, by the name of the package it is in.
const script = `
  import { registerHooks } from "node:module";
  const loaded = new Set();
  registerHooks({ resolve: (name, context, next) => {
    const found = next(name, context);
    loaded.add(found.url);
    return found;
  } });
  await import(process.argv[1]);
  console.log(JSON.stringify([...loaded]));
`;

test("whoever loads the SDK loads kernel, protocol and the hashes of no runtime's own, and nothing else: no zod, no node:", async () => {
  const entry = new URL("../src/index.ts", import.meta.url).href;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@remit/src", "--input-type=module", "-e", script, entry],
    { cwd: fileURLToPath(new URL("..", import.meta.url)) },
  );
  const loaded: string[] = JSON.parse(stdout);
  const packageOf = (url: string): string =>
    /node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(url)?.[1] ?? /packages\/([^/]+)\//.exec(url)?.[1] ?? url;
  expect(new Set(loaded.map(packageOf))).toEqual(
    new Set(["merchant", "kernel", "protocol", "@noble/hashes"]),
  );
});
