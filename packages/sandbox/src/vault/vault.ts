import { createLogins, type Logins } from "./logins.ts";
import { VaultRefusal } from "./refusal.ts";
import { createSecretStore, type SecretStore } from "./secret-store.ts";
import { createTransit, type Transit } from "./transit.ts";

export type VaultRequest = {
  readonly method: string;
  /** Below `/v1/`. */
  readonly path: string;
  readonly token: string | undefined;
  readonly body: string;
};
export type VaultAnswer = { readonly status: number; readonly body: unknown };

/** What may be made to go wrong. */
export type VaultSwitches = {
  /** Answers 503 to everything, as a sealed Vault does. */
  readonly sealed?: boolean | undefined;
  /** Every token handed out so far is none any more. */
  readonly expire_tokens?: boolean | undefined;
  /** Signs as older servers do: DER whatever marshalling is asked for. */
  readonly always_der?: boolean | undefined;
};

/** HashiCorp Vault or OpenBao, as far as Remit uses it: transit, KV v2, AppRole, Kubernetes and token login. In memory. */
export type Vault = {
  handle(request: VaultRequest): VaultAnswer;
  set(switches: VaultSwitches): void;
  /** How often each operation was called, such as `POST transit/sign/remit-access`. */
  calls(): Readonly<Record<string, number>>;
};

/** The credentials of a fresh Vault, for whoever tries it. */
export const vaultCredentials = {
  token: "root",
  approle: { role_id: "remit", secret_id: "remit-secret" },
  kubernetes: { role: "remit", jwt: "service-account-token" },
} as const;

type Room = { readonly logins: Logins; readonly transit: Transit; readonly secrets: SecretStore };

export function createVault(): Vault {
  const logins = createLogins(vaultCredentials);
  const state = { sealed: false, alwaysDer: false };
  const room: Room = {
    logins,
    transit: createTransit(() => state.alwaysDer),
    secrets: createSecretStore(),
  };
  const calls = new Map<string, number>();
  return {
    handle(request) {
      const name = `${request.method} ${request.path}`;
      calls.set(name, (calls.get(name) ?? 0) + 1);
      if (state.sealed) return { status: 503, body: { errors: ["Vault is sealed"] } };
      try {
        return answer(room, request);
      } catch (error) {
        if (error instanceof VaultRefusal) return { status: error.status, body: { errors: [error.message] } };
        throw error;
      }
    },
    set({ sealed, expire_tokens: expire, always_der: der }) {
      if (sealed !== undefined) state.sealed = sealed;
      if (der !== undefined) state.alwaysDer = der;
      if (expire === true) logins.expireAll();
    },
    calls: () => Object.fromEntries(calls),
  };
}

function answer({ logins, transit, secrets }: Room, request: VaultRequest): VaultAnswer {
  const body = objectOf(request.body);
  const [mount = "", ...rest] = request.path.split("/");
  if (mount === "sys" && rest[0] === "health")
    return { status: 200, body: { initialized: true, sealed: false } };
  if (mount === "auth" && rest[1] === "login")
    return { status: 200, body: { auth: logins.login(rest[0] ?? "", body) } };
  if (!logins.isLive(request.token)) throw new VaultRefusal(403, "permission denied");
  if (mount === "auth" && request.path === "auth/token/renew-self")
    return { status: 200, body: { auth: logins.renew(request.token) } };
  if (mount === "transit") return { status: 200, body: { data: transit(request.method, rest, body) } };
  if (mount === "secret") return { status: 200, body: { data: secrets(request.method, rest, body) } };
  throw new VaultRefusal(404, "no handler for route");
}

function objectOf(text: string): Record<string, unknown> {
  if (text === "") return {};
  try {
    const read: unknown = JSON.parse(text);
    // An object has string keys; what they hold is looked at where it is used.
    if (typeof read === "object" && read !== null) return read as Record<string, unknown>;
  } catch {
    // Refused below, as everything that is no object.
  }
  throw new VaultRefusal(400, "failed to parse JSON input");
}
