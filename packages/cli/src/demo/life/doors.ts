import type { DevFile } from "@remit/embedded";
import { type Clock, newId } from "@remit/kernel";
import { isJsonObject, type JsonObject } from "@remit/protocol";
import { callWithProof } from "../../running/index.ts";

type Wanted = {
  readonly origin?: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly scope: string;
  readonly body?: object;
};

/** The public APIs, as the organization's management client, the operator, or an agent with a secret calls them. */
export type Doors = {
  readonly dev: DevFile;
  readonly clock: Clock;
  manage(wanted: Wanted): Promise<JsonObject>;
  operate(wanted: Wanted): Promise<JsonObject>;
  /** With a token of the agent's own, which is one more in its analytics. */
  actAs(agent: SecretAgent, wanted: Wanted): Promise<JsonObject>;
  list(wanted: Omit<Wanted, "method">): Promise<JsonObject[]>;
};

export type SecretAgent = { readonly id: string; readonly secret: string };

export function openDoors(dev: DevFile, clock: Clock): Doors {
  const as = (
    client: { client_id: string; client_secret: string },
    { origin = dev.issuer, ...wanted }: Wanted,
  ) => callWithProof(dev.issuer, client, { ...wanted, origin, idempotencyKey: newId("request"), clock });
  const manage = (wanted: Wanted): Promise<JsonObject> => as(dev.admin, wanted);
  return {
    dev,
    clock,
    manage,
    operate: (wanted) => {
      if (dev.operator === undefined) throw new Error("this instance has no operator; start it anew");
      return as(dev.operator, wanted);
    },
    actAs: ({ id, secret }, wanted) => as({ client_id: id, client_secret: secret }, wanted),
    list: async (wanted) => {
      const { data } = await manage({ ...wanted, method: "GET" });
      return Array.isArray(data) ? data.filter(isJsonObject) : [];
    },
  };
}

/** A member of an answer that is text. */
export function textOf(answer: JsonObject, name: string): string {
  const value = answer[name];
  if (typeof value !== "string") throw new Error(`the answer has no ${name}`);
  return value;
}
