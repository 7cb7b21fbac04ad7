import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, get, type IncomingMessage } from "node:http";
import path from "node:path";
import { scratchFolder } from "@remit/testkit";
import { expect, test } from "vitest";
import { createAssets } from "./assets.ts";

const size = 32 * 1024 * 1024;

async function serving(file: { readonly onDisk: boolean }) {
  const folder = scratchFolder("remit-assets-");
  if (file.onDisk) await writeFile(path.join(folder, "large.js"), Buffer.alloc(size));
  const serve = createAssets(folder, new Map([["/large.js", { file: "large.js", size, etag: "large" }]]));
  const outcomes: Promise<boolean>[] = [];
  const server = createServer((req, res) => void outcomes.push(serve(req, res)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("a server listens on a port");
  const asked = get({ host: "127.0.0.1", port: address.port, path: "/large.js" });
  return { server, outcomes, asked };
}

test("a download that somebody breaks off is no error of ours", async () => {
  const { server, outcomes, asked } = await serving({ onDisk: true });
  const [answer] = (await once(asked, "response")) as [IncomingMessage]; // node's own event
  await once(answer, "data");
  answer.destroy();
  await expect(outcomes[0]).resolves.toBe(true);
  server.close();
});

test("a built file that is not there is one", async () => {
  const { server, outcomes, asked } = await serving({ onDisk: false });
  asked.on("error", () => undefined); // as whoever waits for the rest of it
  await once(server, "request");
  await expect(outcomes[0]).rejects.toMatchObject({ code: "ENOENT" });
  server.closeAllConnections();
  server.close();
});
