import { type IdKind, idPrefixes, newId } from "@remit/kernel";
import { type ApiOperation, eventually } from "@remit/testkit";
import { askPerson } from "../asking.ts";
import type { OAuthClient } from "../client.ts";
import { exchange, obtainCode } from "../consent.ts";
import { agentIn } from "../fleet.ts";
import type { Running } from "../running.ts";
import type { UpstreamProvider } from "../upstream.ts";
import type { Caller } from "./callers.ts";

type Hands = {
  readonly manager: Caller;
  readonly person: Caller;
  /** The agent, with a token to pay. */
  readonly payer: Caller;
  readonly agent: OAuthClient;
  readonly upstream: UpstreamProvider;
};

/**
 * Ada's objects by the prefix of their ids: what every route that names one is tried with. **A new kind of object is made
 * here**: add a line that makes one and returns its id; the path parameter's own pattern (`idOf("…")`) says which it is.
 */
export async function objectsOf(
  running: Running,
  { manager, person, payer, agent, upstream }: Hands,
): Promise<ReadonlyMap<string, string>> {
  const ask = async (by: Caller, [method, target]: [string, string], body?: object): Promise<unknown> => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await by.send({ method, target, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${target}: ${await answer.text()}`);
    return answer.json();
  };
  const made = async (path: string, body: object, member = "id"): Promise<string> =>
    String(Object(await ask(manager, ["POST", path], body))[member]);
  const first = async (by: Caller, path: string): Promise<string> => {
    const [one] = Object(await ask(by, ["GET", path]))["data"] as readonly { readonly id: string }[]; // every list has data
    if (one === undefined) throw new Error(`${path} is empty`);
    return one.id;
  };
  const tokens = await exchange(agent, await obtainCode(running, agent));
  const worker = await agentIn(running);
  const handing = { delegateeAgentId: worker, scopes: ["oid4ac:payment"] };
  const handedOn = String(Object(await ask(payer, ["POST", "/oauth2/token/delegate"], handing))["chainId"]);
  const webhook = await made("/api/v1/webhooks", {
    name: "ledger",
    url: upstream.issuer,
    events: ["agent.*"],
  });
  await ask(manager, ["POST", `/api/v1/webhooks/${webhook}/test`]);
  const stream = await made("/api/v1/streams", {}, "stream_id");
  await askPerson(agent);
  const ids = [
    agent.id,
    await made(`/api/v1/agents/${agent.id}/credentials`, {}, "credentialId"),
    running.tenant,
    running.account,
    String(tokens.body["mandate_id"]),
    await made("/api/v1/trusts", trustIn(worker)),
    await made(
      `/api/v1/organizations/${running.tenant}/members`,
      { email: "eve@else.example" },
      "invitationId",
    ),
    stream,
    webhook,
    await first(person, "/api/v1/approvals"),
    await first(person, "/api/v1/sessions"),
    await made("/api/v1/identity-providers", providerAt(upstream)),
    await first(manager, `/api/v1/webhooks/${webhook}/deliveries`),
    await made("/api/v1/api-keys", { name: "ci", scopes: ["agents:read"] }),
    await eventually(() => first(manager, "/api/v1/requests")),
    handedOn,
    await made("/api/v1/federation/trust", partnerAt(upstream)),
    await eventually(() => first(manager, "/api/v1/audit")),
    await made("/api/v1/policies", { name: "ours", content: "permit (principal, action, resource);" }),
  ];
  return new Map(ids.map((id) => [id.slice(0, 3), id]));
}

const trustIn = (client_id: string): object => ({
  name: "ci",
  client_id,
  scopes: ["agents:read"],
  rules: { kind: "github", repository_id: "1", repository_owner_id: "2", ref: "refs/heads/main" },
});

const providerAt = ({ issuer, clientId, clientSecret }: UpstreamProvider): object => ({
  name: "Acme",
  issuer,
  client_id: clientId,
  client_authentication: { method: "client_secret_basic", client_secret: clientSecret },
});

const partnerAt = ({ issuer }: UpstreamProvider): object => ({
  name: "Acme",
  issuer: "https://partner.example",
  jwks_uri: `${issuer}/jwks`,
});

/** Kinds that this server cannot make by itself, and where they are tried with a foreign id instead. */
export const elsewhere: Readonly<Record<string, string>> = {
  chg: "charge-api.test.ts: charges, mandates and receipts of other tenants, clients and agents answer as a random id",
  dsp: "disputes.test.ts: disputes of other tenants and clients are not there",
  rcp: "charge-api.test.ts: the same",
  adm: "identity-providers-api.test.ts: admissions of another tenant",
};

/** What is for everybody, whoever asks: a DID document holds public keys alone (docs/decisions/0027). */
export const everybodys: ReadonlySet<string> = new Set(["GET /api/v1/agents/{id}/did"]);

/** Path parameters that are no ids of ours. */
export const names: Readonly<Record<string, string>> = { domain: "ada.example", kid: "a-key-of-nobody" };

const kinds = new Map<string, IdKind>(
  (Object.entries(idPrefixes) as [IdKind, string][]).map(([kind, prefix]) => [prefix, kind]), // its own type, forgotten
);

/** The prefix of the ids that a path parameter takes, as the document says. */
export const prefixOf = ({ schema }: ApiOperation["parameters"][number]): string | undefined =>
  /"\^([a-z]{3})_/.exec(JSON.stringify(schema["pattern"] ?? ""))?.[1];

export const nobodys = (prefix: string): string => newId(kinds.get(prefix) ?? "agent");
