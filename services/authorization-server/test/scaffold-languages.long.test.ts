import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Management } from "./management.ts";
import { type Running, startServer } from "./running.ts";
import { has, projectIn, runIn } from "./scaffolded.ts";

// The programs in languages that must be compiled first, which takes seconds, where this machine has the compiler.

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

const settings = "set -a; . ./.env; set +a";
const compiled = [
  {
    language: "java",
    here: has("javac"),
    compile: "javac -Xlint:all -Werror --release 11 -d target src/*.java",
    run: "java -cp target Main",
  },
  {
    language: "go",
    here: has("go", "version"),
    compile: "go vet ./src && go build -o agent ./src",
    run: "./agent",
  },
] as const;

test.for(compiled)(
  "in $language it compiles, gets a token and asks what is known of it",
  async (of, { skip }) => {
    const { language, compile, run, here } = of;
    if (!here) return skip(`NOT RUN: there is no compiler for ${language} on this machine`);
    const { folder, agent } = await projectIn(running, place, language);
    const built = await runIn(folder, compile);
    expect(built, built.err).toMatchObject({ code: 0 });
    const ran = await runIn(folder, `${settings}; ${run}`);
    expect(ran, ran.err).toMatchObject({ code: 0 });
    expect(JSON.parse(ran.out)).toMatchObject({ agent_id: agent });
    const wrong = await runIn(folder, `${settings}; export AGENTIDP_CLIENT_SECRET=rms_wrong; ${run}`);
    expect(wrong.code).not.toBe(0);
    expect(wrong.err).toContain("invalid_client");
  },
);
