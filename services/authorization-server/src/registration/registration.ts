import { fromNumericDate, type Id, type Instant, parseId } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import {
  type ApplicationRegistration,
  applicationManagedBy,
  type Client,
  type ClientMetadata,
  readSetupToken,
  registerApplication,
  registerClient,
  removeApplication,
  replaceApplication,
  type Secrets,
  type Setup,
  tenantOfClient,
  useSetupToken,
} from "../clients/index.ts";
import { knowAgent } from "../freezes/index.ts";
import { platformTenant } from "../tenants/index.ts";
import { revokeTokens } from "../tokens/index.ts";
import { applicationOf } from "./application.ts";
import type { AskedMetadata } from "./asked.ts";
import { registrationOf } from "./metadata.ts";
import { refuse } from "./refuse.ts";
import { checkAddresses } from "./sector.ts";

export type RegistrationDeps = {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly outbound: Outbound;
  /** Whether an application may register itself without a setup token. */
  readonly open: boolean;
};

/** A client and what its owner is shown once: the token that manages it, and its secret. */
export type Registered = {
  readonly client: Client;
  readonly registrationToken?: string;
  readonly secret?: string;
};

type Asking = { readonly asked: AskedMetadata; readonly now: Instant };

/** Registers a client of the kind that the setup token names, in the tenant that issued it (RFC 7591 §1.2). */
export async function registerWithToken(
  deps: RegistrationDeps,
  { asked, now, token }: Asking & { readonly token: string },
): Promise<Registered> {
  const setup = await readSetupToken(deps, { token, now });
  const wanted = registrationOf(setup, asked);
  await checkAddresses(deps.outbound, wanted);
  const register = async (tx: TenantTx): Promise<Registered & { id: string }> => {
    if (wanted.kind === "application") return addApplication(deps, tx, { wanted, now });
    const client = await registerClient(tx, wanted, now);
    const agent = wanted.kind === "agent" ? parseId("agent", client.id) : undefined;
    // One that a person set up for themselves stands in their wallet at once.
    if (agent !== undefined && parseId("account", setup.by) !== undefined) await knowAgent(tx, agent, now);
    return { id: client.id, client };
  };
  return useSetupToken(deps.db, setup satisfies Setup, { register, now });
}

/** Registers an application of nobody we know, where the operator lets strangers register (MCP clients do). */
export async function registerOpenly(deps: RegistrationDeps, { asked, now }: Asking): Promise<Registered> {
  if (!deps.open) throw new Problem("setup_token_invalid", { detail: "Send a setup token." });
  const wanted = applicationOf(asked, undefined);
  await checkAddresses(deps.outbound, wanted);
  return deps.db.of(platformTenant).transaction((tx) => addApplication(deps, tx, { wanted, now }));
}

async function addApplication(
  { secrets }: RegistrationDeps,
  tx: TenantTx,
  { wanted, now }: { wanted: ApplicationRegistration; now: Instant },
): Promise<Registered & { id: string }> {
  const made = credentialsFor(secrets, wanted.metadata);
  const client = await registerApplication(tx, { ...wanted, ...made.digests }, now);
  return { id: client.id, client, ...made.shown };
}

type Held = { readonly id: string; readonly token: string };

/** Reads a registration with the token that manages it (RFC 7592 §2.1). */
export async function readRegistration(deps: RegistrationDeps, held: Held): Promise<Client> {
  return (await managed(deps, held)).client;
}

/**
 * Replaces a registration (RFC 7592 §2.2). Each change gives a new token and takes the old one; a secret stays unless
 * the way of authentication changes.
 */
export async function replaceRegistration(
  deps: RegistrationDeps,
  { held, asked, now }: Asking & { readonly held: Held },
): Promise<Registered> {
  const { id, tenant, client, digest } = await managed(deps, held);
  if (asked.client_id !== client.id)
    refuse("client_id must be the one of this registration.", "invalid_request");
  checkSecret(deps.secrets, asked.client_secret, client);
  const wanted = applicationOf(asked, client.name);
  await checkAddresses(deps.outbound, wanted);
  const made = credentialsFor(deps.secrets, wanted.metadata, client.secretDigest);
  const change = { ...wanted, ...made.digests, held: digest, now };
  const replaced = await deps.db.of(tenant).transaction((tx) => replaceApplication(tx, id, change));
  if (replaced === undefined) throw new Problem("registration_token_invalid");
  return { client: replaced, ...made.shown };
}

/** Ends a registration and, at once, the tokens given to it (RFC 7592 §2.3). */
export async function removeRegistration(
  deps: RegistrationDeps,
  { held, now }: { held: Held; now: Instant },
): Promise<void> {
  const { id, tenant, digest } = await managed(deps, held);
  const removed = await deps.db.of(tenant).transaction(async (tx) => {
    const done = await removeApplication(tx, id, { held: digest, now });
    if (done) await revokeTokens(tx, `client:${id}`, never);
    return done;
  });
  if (!removed) throw new Problem("registration_token_invalid");
}

// A client's id is never used again, so its tokens stay refused for good.
const never = fromNumericDate(253_402_300_799);

type Managed = {
  readonly id: Id<"client">;
  readonly tenant: Id<"tenant">;
  readonly client: Client;
  readonly digest: Uint8Array;
};

/** RFC 7592 §2: an unknown client, an ended one and a wrong token are one answer, which tells nobody what exists. */
async function managed({ db, secrets }: RegistrationDeps, { id, token }: Held): Promise<Managed> {
  const wanted = parseId("client", id);
  const tenant = wanted && (await db.global.transaction((tx) => tenantOfClient(tx, wanted)));
  const digest = secrets.digest(token);
  const client =
    tenant && (await db.of(tenant).transaction((tx) => applicationManagedBy(tx, wanted, digest)));
  if (wanted === undefined || tenant === undefined || client === undefined)
    throw new Problem("registration_token_invalid");
  return { id: wanted, tenant, client, digest };
}

// RFC 7592 §2.2: a client may send its secret along, but not choose one.
function checkSecret(secrets: Secrets, sent: string | undefined, { secretDigest }: Client): void {
  if (sent === undefined) return;
  if (secretDigest === undefined || !secrets.matches(sent, secretDigest))
    refuse("client_secret is not the one of this registration.", "invalid_request");
}

function credentialsFor(secrets: Secrets, metadata: ClientMetadata, kept?: Uint8Array) {
  const registrationToken = secrets.issue();
  const hasSecret = metadata.token_endpoint_auth_method?.startsWith("client_secret") === true;
  const secret = hasSecret && kept === undefined ? secrets.issue() : undefined;
  return {
    digests: {
      registrationDigest: secrets.digest(registrationToken),
      secretDigest: secret === undefined ? (hasSecret ? kept : undefined) : secrets.digest(secret),
    },
    shown: { registrationToken, ...(secret === undefined ? {} : { secret }) },
  };
}
