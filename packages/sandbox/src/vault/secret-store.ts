import { VaultRefusal } from "./refusal.ts";

export type SecretStore = (method: string, path: readonly string[], body: Record<string, unknown>) => unknown;

/** KV version 2, mounted at `secret/`: each write is a new version, a read gets the newest. */
export function createSecretStore(): SecretStore {
  const versions = new Map<string, unknown[]>();
  return (method, [kind, ...rest], body) => {
    const name = rest.join("/");
    if (kind !== "data" || name === "") throw new VaultRefusal(404, "no handler for route");
    const kept = versions.get(name) ?? [];
    if (method === "GET") {
      if (kept.length === 0) throw new VaultRefusal(404, "no such secret");
      return { data: kept.at(-1), metadata: { version: kept.length } };
    }
    versions.set(name, [...kept, body["data"]]);
    return { version: kept.length + 1 };
  };
}
