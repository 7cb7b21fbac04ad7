import { type Call, nothing, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { publishedAgent } from "../dids/index.ts";
import { type Kept, publish } from "../documents/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import {
  type DirectoryKey,
  directoryKeysOf,
  directoryMediaType,
  directoryPath,
  nameOfDirectory,
  type SignedDirectory,
  signedDirectory,
} from "./directory.ts";

type Deps = {
  readonly issuer: string;
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly signed: Kept<SignedDirectory>;
};

const AgentPath = z.strictObject({ id: idOf("agent") });
const answers = { 200: z.string(), 304: nothing } as const;

/** Where those who are called find the keys that HTTP messages of ours and of our agents are signed with (Web Bot Auth). */
export const signatureDirectoryRoutes = (deps: Deps): Route[] => [
  route({
    method: "GET",
    path: directoryPath,
    summary: "The keys that the issuer's own HTTP messages are signed with (Web Bot Auth)",
    needs: "public",
    answers,
    types: [directoryMediaType],
    handle: (call) => {
      const current = deps.keys.publicKeys("http-signature").filter(({ state }) => state !== "removed");
      return answer(deps, call, directoryKeysOf(current.map(({ jwk }) => jwk)));
    },
  }),
  agentRoute(deps, "/agents/:id/http-message-signatures-directory"),
  agentRoute(deps, `/agents/:id${directoryPath}`),
];

const agentRoute = (deps: Deps, path: string): Route =>
  route({
    method: "GET",
    path,
    summary: "The Ed25519 keys of an agent (Web Bot Auth); none while it is suspended, gone with it",
    needs: "public",
    params: AgentPath,
    answers: { ...answers, 404: "not_found", 410: "document_gone" },
    types: [directoryMediaType],
    handle: async (call, { params }) => {
      const { agent, active } = await publishedAgent(deps.db, params.id);
      return answer(deps, call, active ? directoryKeysOf([agent.assertionJwk, agent.dpopJwk]) : []);
    },
  });

async function answer({ keys, signed }: Deps, call: Call, listed: readonly DirectoryKey[]) {
  const signing = { keys, now: call.now, targetUri: call.url };
  const { body, headers } = await signed.get(nameOfDirectory(listed, signing), () =>
    signedDirectory(listed, signing),
  );
  return publish(call, { type: directoryMediaType, says: body, body, headers });
}
