import { randomBytes } from "node:crypto";
import { VaultRefusal } from "./refusal.ts";

type Auth = { readonly client_token: string; readonly lease_duration: number; readonly renewable: boolean };

export type Logins = {
  login(method: string, body: Record<string, unknown>): Auth;
  renew(token: string | undefined): Auth;
  isLive(token: string | undefined): boolean;
  expireAll(): void;
};

export type Credentials = {
  readonly token: string;
  readonly approle: { readonly role_id: string; readonly secret_id: string };
  readonly kubernetes: { readonly role: string; readonly jwt: string };
};

const leaseS = 3600;

export function createLogins(credentials: Credentials): Logins {
  const live = new Set<string>();
  const authOf = (token: string): Auth => ({ client_token: token, lease_duration: leaseS, renewable: true });
  return {
    login(method, body) {
      const { approle, kubernetes } = credentials;
      const known =
        (method === "approle" &&
          body["role_id"] === approle.role_id &&
          body["secret_id"] === approle.secret_id) ||
        (method === "kubernetes" && body["role"] === kubernetes.role && body["jwt"] === kubernetes.jwt);
      if (!known) throw new VaultRefusal(400, "invalid role or secret ID");
      const token = `hvs.${randomBytes(18).toString("base64url")}`;
      live.add(token);
      return authOf(token);
    },
    renew(token = "") {
      if (!live.has(token)) throw new VaultRefusal(400, "lease is not renewable");
      return authOf(token);
    },
    isLive: (token) => token !== undefined && (token === credentials.token || live.has(token)),
    expireAll: () => live.clear(),
  };
}
