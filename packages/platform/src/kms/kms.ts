import { readFile } from "node:fs/promises";
import { type Clock, fromRfc3339, Secret, secondMs, toRfc3339 } from "@remit/kernel";
import { isJsonObject, type JsonObject, Problem, readJson } from "@remit/protocol";
import type { Outbound, OutboundAnswer } from "../outbound/index.ts";
import { type AwsCredentials, signedHeaders } from "./sigv4.ts";

/** How we prove ourselves to AWS, or to what speaks its protocol. */
export type KmsLogin =
  | { readonly method: "static"; readonly credentials: AwsCredentials }
  /** The credentials of a container: ECS, or EKS Pod Identity, whose token is read anew each time. They end, and are fetched again. */
  | { readonly method: "container"; readonly url: string; readonly tokenFile?: string };

export type KmsOptions = {
  readonly outbound: Pick<Outbound, "request">;
  readonly clock: Clock;
  readonly region: string;
  /** `https://kms.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  readonly login: KmsLogin;
};

export type Kms = {
  /** The answer; undefined when what is named is not there. Whatever else goes wrong is a Problem `unavailable` (503). */
  call(operation: string, body: JsonObject): Promise<JsonObject | undefined>;
};

const timeoutMs = 3 * secondMs;
const answerBytesMax = 256 * 1024;
/** Credentials are fetched again so long before they end that none ends under a request. */
const earlierMs = 300 * secondMs;

type Held = { readonly credentials: AwsCredentials; readonly untilNs: bigint };

/** A client of the JSON API of AWS KMS. */
export function openKms(options: KmsOptions): Kms {
  const { clock, login } = options;
  let held: Held | undefined;
  let fetching: Promise<Held> | undefined;
  const credentialsNow = async (): Promise<AwsCredentials> => {
    if (login.method === "static") return login.credentials;
    if (held !== undefined && clock.monotonicNs() < held.untilNs) return held.credentials;
    fetching ??= containerCredentials(options, login).finally(() => {
      fetching = undefined;
    });
    held = await fetching;
    return held.credentials;
  };
  return {
    async call(operation, body) {
      const send = async () => request(options, { operation, body, credentials: await credentialsNow() });
      let answer = await send();
      // They may have been taken from us before their end: once more with others.
      if (login.method === "container" && refusesUs(answer)) {
        held = undefined;
        answer = await send();
      }
      return resultOf(answer, operation);
    },
  };
}

const notOurs = ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"];
const refusesUs = (answer: OutboundAnswer): boolean =>
  answer.status >= 400 && notOurs.includes(typeOf(answer));

/** The endpoint that AWS_CONTAINER_CREDENTIALS_FULL_URI names to every SDK. */
async function containerCredentials(
  { outbound, clock }: KmsOptions,
  { url, tokenFile }: Extract<KmsLogin, { method: "container" }>,
): Promise<Held> {
  const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim();
  const startedNs = clock.monotonicNs();
  const headers = { accept: "application/json", ...(token === undefined ? {} : { authorization: token }) };
  const asked = { url, headers, timeoutMs, bodyBytesMax: answerBytesMax };
  const answer = await outbound.request(asked).catch((cause: unknown) => {
    throw away({ operation: "credentials", because: whyOf(cause) }, cause);
  });
  const {
    AccessKeyId: id,
    SecretAccessKey: secret,
    Token: session,
    Expiration: ends,
  } = objectOf(answer) ?? {};
  const until = typeof ends === "string" ? fromRfc3339(ends) : undefined;
  if (answer.status !== 200 || typeof id !== "string" || typeof secret !== "string" || until === undefined)
    throw away({ operation: "credentials", status: answer.status });
  const lifeMs = Math.max(0, until - clock.now() - earlierMs);
  return {
    credentials: {
      accessKeyId: id,
      secretAccessKey: new Secret(secret),
      ...(typeof session === "string" ? { sessionToken: new Secret(session) } : {}),
    },
    untilNs: startedNs + BigInt(lifeMs) * 1_000_000n,
  };
}

type Sending = {
  readonly operation: string;
  readonly body: JsonObject;
  readonly credentials: AwsCredentials;
};

async function request(
  { outbound, clock, region, endpoint }: KmsOptions,
  { operation, body, credentials }: Sending,
): Promise<OutboundAnswer> {
  const text = JSON.stringify(body);
  const url = new URL(endpoint);
  const headers = {
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": `TrentService.${operation}`,
  };
  const at = toRfc3339(clock.now()).replace(/[-:]|\.\d+/g, "");
  const signing = { credentials, region, service: "kms", at };
  try {
    return await outbound.request({
      method: "POST",
      url: url.href,
      headers: signedHeaders({ method: "POST", url, headers, body: text }, signing),
      body: text,
      timeoutMs,
      bodyBytesMax: answerBytesMax,
    });
  } catch (cause) {
    throw away({ operation, because: whyOf(cause) }, cause);
  }
}

function resultOf(answer: OutboundAnswer, operation: string): JsonObject | undefined {
  const said = objectOf(answer);
  // Some operations answer with an empty body.
  if (answer.status === 200) return said ?? {};
  const type = typeOf(answer);
  if (type === "NotFoundException") return undefined;
  throw away({ operation, status: answer.status, type });
}

/** `com.amazonaws…#NotFoundException`, or the name alone. */
const typeOf = (answer: OutboundAnswer): string => {
  const type = objectOf(answer)?.["__type"];
  return typeof type === "string" ? (type.split("#").at(-1) ?? "") : "";
};

function objectOf({ body }: OutboundAnswer): JsonObject | undefined {
  const read = readJson(body, answerBytesMax);
  return "value" in read && isJsonObject(read.value) ? read.value : undefined;
}

const whyOf = (error: unknown): string => (error instanceof Error ? error.message : "no answer");

const away = (why: Record<string, unknown>, cause?: unknown): Problem =>
  new Problem("unavailable", {
    detail: "The keeper of the keys cannot be asked.",
    headers: { "retry-after": "1" },
    private: { kms: why },
    ...(cause === undefined ? {} : { cause }),
  });
