import { after, type Clock, hourMs, toRfc3339 } from "@remit/kernel";
import { createKeys } from "./keys.ts";
import { KmsRefusal } from "./refusal.ts";
import { authenticate, type Credentials, type KmsRequest } from "./signature.ts";

export type { KmsRequest };
export type KmsAnswer = { readonly status: number; readonly body: unknown };

/** What may be made to go wrong. */
export type KmsSwitches = {
  /** Answers 503 to everything. */
  readonly away?: boolean | undefined;
  /** The credentials that containers were given so far are none any more. */
  readonly expire_tokens?: boolean | undefined;
};

/** AWS Key Management Service, as far as Remit uses it, and the credentials endpoint of a container. In memory. */
export type Kms = {
  handle(request: KmsRequest): KmsAnswer;
  credentials(authorization: string | undefined): KmsAnswer;
  set(switches: KmsSwitches): void;
  /** How often each operation was called, such as `Sign`. */
  calls(): Readonly<Record<string, number>>;
};

/** The credentials of a fresh one, for whoever tries it. */
export const kmsCredentials = {
  id: "AKIASANDBOX",
  secret: "sandbox-secret-access-key",
  containerToken: "pod-identity-token",
} as const;

const lifeMs = hourMs;

export function createKms(clock: Clock): Kms {
  const keys = createKeys();
  const known = new Map<string, Credentials>([[kmsCredentials.id, kmsCredentials]]);
  const calls = new Map<string, number>();
  let away = false;
  const count = (name: string): void => void calls.set(name, (calls.get(name) ?? 0) + 1);
  return {
    handle(request) {
      const operation = /^TrentService\.(\w+)$/.exec(String(request.headers["x-amz-target"]))?.[1] ?? "";
      count(operation);
      if (away) return { status: 503, body: { __type: "KMSInternalException", message: "try again" } };
      try {
        authenticate(request, { known: (id) => known.get(id), now: clock.now() });
        const work = Object.hasOwn(keys, operation) ? keys[operation] : undefined;
        if (work === undefined) throw new KmsRefusal("UnknownOperationException", "");
        return { status: 200, body: work(Object(JSON.parse(request.body))) };
      } catch (error) {
        if (!(error instanceof KmsRefusal)) throw error;
        return { status: 400, body: { __type: error.type, message: error.message } };
      }
    },
    credentials(authorization) {
      count("credentials");
      if (authorization !== kmsCredentials.containerToken)
        return { status: 401, body: { message: "who are you?" } };
      const made = { id: `ASIA${known.size}`, secret: `secret-${known.size}`, token: `token-${known.size}` };
      known.set(made.id, made);
      const Expiration = toRfc3339(after(clock.now(), lifeMs));
      const body = { AccessKeyId: made.id, SecretAccessKey: made.secret, Token: made.token, Expiration };
      return { status: 200, body };
    },
    set({ away: gone, expire_tokens: expire }) {
      if (gone !== undefined) away = gone;
      if (expire === true) for (const [id, { token }] of known) if (token !== undefined) known.delete(id);
    },
    calls: () => Object.fromEntries(calls),
  };
}
