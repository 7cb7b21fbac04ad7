import { readFile } from "node:fs/promises";
import { type Clock, type Secret, secondMs } from "@remit/kernel";
import { isJsonObject, type JsonObject, Problem, readJson } from "@remit/protocol";
import type { Outbound, OutboundAnswer } from "../outbound/index.ts";

/** How we prove ourselves to Vault (or OpenBao, which speaks the same). */
export type VaultLogin =
  | { readonly method: "token"; readonly token: Secret<string> }
  | { readonly method: "approle"; readonly roleId: string; readonly secretId: Secret<string> }
  /** The pod's service-account token is read anew for each login: Kubernetes replaces it. */
  | { readonly method: "kubernetes"; readonly role: string; readonly tokenFile: string };

export type VaultOptions = {
  readonly outbound: Pick<Outbound, "request">;
  readonly clock: Clock;
  /** `https://vault.internal:8200`, without a trailing slash. The guard must allow a private one. */
  readonly address: string;
  readonly login: VaultLogin;
  /** Of Vault Enterprise and OpenBao. */
  readonly namespace?: string;
};

export type Vault = {
  /** The `data` of an answer; undefined for 404. Whatever else goes wrong is a Problem `unavailable` (503). */
  call(method: "GET" | "POST", path: string, body?: JsonObject): Promise<JsonObject | undefined>;
};

const timeoutMs = 3 * secondMs;
const answerBytesMax = 256 * 1024;
/** A token is used for this part of its life, so that it does not end under a request. */
const usablePart = 0.7;

type Session = { readonly token: string; readonly untilNs: bigint };

/** A client of the HTTP API: logs in when it must, once at a time, and keeps nothing secret but its own token. */
export function openVault(options: VaultOptions): Vault {
  const { clock, login } = options;
  let session: Session | undefined;
  let entering: Promise<Session> | undefined;
  const tokenNow = async (): Promise<string> => {
    if (login.method === "token") return login.token.reveal();
    if (session !== undefined && clock.monotonicNs() < session.untilNs) return session.token;
    entering ??= enter(options, login).finally(() => {
      entering = undefined;
    });
    session = await entering;
    return session.token;
  };
  return {
    async call(method, path, body) {
      const send = async () => request(options, { method, path, body, token: await tokenNow() });
      let answer = await send();
      // A token may have been taken from us: once more with another one.
      if (answer.status === 403 && login.method !== "token") {
        session = undefined;
        answer = await send();
      }
      return dataOf(answer, path);
    },
  };
}

type Login = Exclude<VaultLogin, { method: "token" }>;

async function enter(options: VaultOptions, login: Login): Promise<Session> {
  const body =
    login.method === "approle"
      ? { role_id: login.roleId, secret_id: login.secretId.reveal() }
      : { role: login.role, jwt: (await readFile(login.tokenFile, "utf8")).trim() };
  const path = `auth/${login.method}/login`;
  const startedNs = options.clock.monotonicNs();
  const answer = await request(options, { method: "POST", path, body, token: undefined });
  const auth = answer.status === 200 ? objectOf(answer)?.["auth"] : undefined;
  const { client_token: token, lease_duration: leaseS } = isJsonObject(auth) ? auth : {};
  if (typeof token !== "string" || typeof leaseS !== "number") throw refused(path, answer);
  return { token, untilNs: startedNs + BigInt(Math.floor(leaseS * usablePart * 1e9)) };
}

type Sending = {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body: JsonObject | undefined;
  readonly token: string | undefined;
};

async function request(
  options: VaultOptions,
  { method, path, body, token }: Sending,
): Promise<OutboundAnswer> {
  try {
    return await options.outbound.request({
      method,
      url: `${options.address}/v1/${path}`,
      headers: {
        accept: "application/json",
        "x-vault-request": "true",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { "x-vault-token": token }),
        ...(options.namespace === undefined ? {} : { "x-vault-namespace": options.namespace }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs,
      bodyBytesMax: answerBytesMax,
    });
  } catch (cause) {
    throw away({ path, because: cause instanceof Error ? cause.message : "no answer" }, cause);
  }
}

function dataOf(answer: OutboundAnswer, path: string): JsonObject | undefined {
  if (answer.status === 404) return undefined;
  if (answer.status === 204) return {};
  const data = answer.status === 200 ? objectOf(answer)?.["data"] : undefined;
  if (isJsonObject(data)) return data;
  throw refused(path, answer);
}

function objectOf({ body }: OutboundAnswer): JsonObject | undefined {
  const read = readJson(body, answerBytesMax);
  return "value" in read && isJsonObject(read.value) ? read.value : undefined;
}

/** Vault's own words are for the operator; they hold no secret of the request. */
const refused = (path: string, answer: OutboundAnswer): Problem => {
  const errors = objectOf(answer)?.["errors"];
  return away({
    path,
    status: answer.status,
    errors: Array.isArray(errors) ? errors.slice(0, 3).map(String) : [],
  });
};

const away = (why: Record<string, unknown>, cause?: unknown): Problem =>
  new Problem("unavailable", {
    detail: "The keeper of the keys cannot be asked.",
    headers: { "retry-after": "1" },
    private: { vault: why },
    ...(cause === undefined ? {} : { cause }),
  });
