import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

// A program as somebody has written it who knows nothing of payments; what a call makes it do is its name.
const server = new Server({ name: "program", version: "1.0.0" }, { capabilities: { tools: {} } });
const names = ["add", "die", "hang", "fails", "env", "ask", "block"];
let calls = 0;

server.setRequestHandler(ListToolsRequestSchema, () => ({
  tools: names.map((name) => ({ name, inputSchema: { type: "object" as const } })),
}));
server.setRequestHandler(CallToolRequestSchema, async ({ params: { name, arguments: given = {} } }) => {
  calls += 1;
  const said = (text: string) => ({ content: [{ type: "text" as const, text }] });
  if (name === "die") process.exit(1);
  if (name === "hang") await new Promise(() => undefined);
  // Nothing of the program goes on: not even a ping is answered.
  if (name === "block") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (name === "fails") return { ...said("no"), isError: true };
  if (name === "env") return said(Object.keys(process.env).sort().join(" "));
  if (name === "ask") return said(JSON.stringify(await server.listRoots().catch(({ code }) => code)));
  return said(`${calls} ${JSON.stringify(given)}`);
});
process.stderr.write("starting\n");
process.stdout.write("this is no message\n");
await server.connect(new StdioServerTransport());
