import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminToken } from "./client.ts";
import { agentIn, anotherTenant } from "./fleet.ts";
import { Management } from "./management.ts";
import { type Running, startServer } from "./running.ts";
import { download, has, projectIn, runIn } from "./scaffolded.ts";

let running: Running;
let place: string;

beforeAll(async () => {
  running = await startServer();
  place = await mkdtemp(path.join(tmpdir(), "remit-scaffold-"));
  await new Management(running).call("PUT", "/api/v1/organization/bearer-tokens", { allowed: true });
});
afterAll(async () => {
  await running.close();
  await rm(place, { recursive: true });
});

/** A server that counts, whose tokens live as long as a test wants and whose first answers may be refusals. */
class Counting {
  lifeS = 900;
  refusals = 0;
  tokens = 0;
  calls = 0;
  readonly server: Server = createServer((request, response) => {
    const say = (status: number, body: object): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (request.url === "/api/v1/token") {
      this.tokens += 1;
      return say(200, { access_token: `t${this.tokens}`, token_type: "Bearer", expires_in: this.lifeS });
    }
    this.calls += 1;
    if (this.refusals-- > 0) return say(401, { code: "token_revoked" });
    return say(200, { agent_id: request.headers.authorization });
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    const address = this.server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }
}

/** Four looks at itself, two of them at once. */
const probes = {
  typescript: `import { AgentIdpClient, settingsFromEnvironment } from "./src/client.ts";
const client = new AgentIdpClient(settingsFromEnvironment());
await Promise.all([client.agentInfo(), client.agentInfo()]);
await client.agentInfo();
console.log((await client.agentInfo())["agent_id"]);
`,
  python: `import sys, threading
sys.path.insert(0, "src")
from agentidp import AgentIdpClient
client = AgentIdpClient.from_environment()
both = [threading.Thread(target=client.agent_info) for _ in range(2)]
[one.start() for one in both]
[one.join() for one in both]
client.agent_info()
print(client.agent_info()["agent_id"])
`,
};

type Runs = {
  readonly language: keyof typeof probes;
  /** As its README says, and the same without a package manager in between. */
  readonly start: string;
  readonly main: string;
  readonly probe: readonly [string, string];
};

const typescript: Runs = {
  language: "typescript",
  start: "npm start --silent",
  main: "node --env-file-if-exists=.env src/main.ts",
  probe: ["probe.ts", "node probe.ts"],
};
const python: Runs = {
  language: "python",
  start: "python3 src/main.py",
  main: "python3 src/main.py",
  probe: ["probe.py", "python3 probe.py"],
};

async function getsATokenAndAsks(runs: Runs): Promise<void> {
  const { language, start, main } = runs;
  const { folder, agent } = await projectIn(running, place, language);
  const ran = await runIn(folder, start);
  expect(ran, ran.err).toMatchObject({ code: 0 });
  expect(JSON.parse(ran.out)).toMatchObject({ agent_id: agent, organization_id: running.tenant });

  const wrong = await runIn(folder, main, { AGENTIDP_CLIENT_SECRET: "rms_wrong" });
  expect(wrong.code).toBe(1);
  expect(JSON.parse(wrong.err)).toMatchObject({
    code: "invalid_client",
    httpStatus: 401,
    details: { error: "invalid_client" },
  });
  const away = await runIn(folder, main, { AGENTIDP_API_URL: "http://127.0.0.1:9" });
  expect(JSON.parse(away.err)).toMatchObject({ code: "no_answer", httpStatus: 0 });
  const bare = await runIn(folder, main, { AGENTIDP_CLIENT_SECRET: "" });
  expect(JSON.parse(bare.err)).toMatchObject({ code: "settings_missing" });
  await keepsItsToken(folder, runs);
}

/** Until a minute before its end, and not longer than the server takes it. */
async function keepsItsToken(folder: string, { language, probe: [file, command] }: Runs): Promise<void> {
  await writeFile(path.join(folder, file), probes[language]);
  const counting = new Counting();
  const env = {
    AGENTIDP_API_URL: await counting.listen(),
    AGENTIDP_CLIENT_ID: "agt_x",
    AGENTIDP_CLIENT_SECRET: "s",
    AGENTIDP_SCOPE: "agents:read",
  };
  const tokensWith = async (lifeS: number, refusals: number): Promise<number> => {
    Object.assign(counting, { lifeS, refusals, tokens: 0, calls: 0 });
    const ran = await runIn(folder, command, env);
    expect(ran, ran.err).toMatchObject({ code: 0 });
    return counting.tokens;
  };
  expect(await tokensWith(900, 0)).toBe(1);
  expect(counting.calls).toBe(4);
  // Renewed a minute before its end: one that lives a minute is asked for anew each time.
  expect(await tokensWith(60, 0)).toBeGreaterThanOrEqual(3);
  // Refused once, it is asked for anew once.
  expect(await tokensWith(900, 1)).toBe(2);
  counting.server.closeAllConnections();
  counting.server.close();
}

describe("the program for an agent", () => {
  test("in TypeScript it gets a token, asks what is known of it, and says why when it may not", () =>
    getsATokenAndAsks(typescript));

  const here = has("python3");
  describe(here ? "in Python" : "NOT RUN: there is no python3 on this machine", () => {
    test.skipIf(!here)("in Python it does the same", () => getsATokenAndAsks(python));
  });

  test("T01 an agent of another organization, an unknown one and a language that there is not", async () => {
    const agent = await agentIn(running);
    const eve = await anotherTenant(running);
    expect((await download(eve, agent, "python")).status).toBe(404);
    expect((await download(eve, agent, "cobol")).status).toBe(400);
    const zip = await download(running, agent, "python");
    expect(zip.headers.get("content-type")).toBe("application/zip");
    expect(zip.headers.get("content-disposition")).toBe(`attachment; filename="${agent}-python.zip"`);
  });

  test("more than ten in a minute are refused with the time to wait, for their organization alone", async () => {
    const eve = await anotherTenant(running);
    const own = await agentIn(eve);
    const { body } = await adminToken(eve);
    const headers = { authorization: `Bearer ${String(body["access_token"])}` };
    const at = `${running.issuer}/api/v1/sdk/scaffold/${own}?language=go`;
    // Twice ten and one: in one of the two minutes that they may fall into there are more than ten.
    const answers = await Promise.all(Array.from({ length: 21 }, () => fetch(at, { headers })));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(1);
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await download(running, await agentIn(running), "go")).status).toBe(200);
  });
});
