import type { Clock } from "@remit/kernel";
import { toNumericDate } from "@remit/kernel";
import type { FailureSwitch, Failures } from "../failures.ts";
import type { Journal } from "../journal.ts";
import { callerOf } from "./caller.ts";
import { expanded } from "./expansion.ts";
import { decodeForm, type Form } from "./form.ts";
import { fingerprintOf, type Kept, type Keys, keptAnswer, keyWithin, noKeys } from "./idempotency.ts";
import type { Operation } from "./operation.ts";
import { newEndpoint, operationAt } from "./operations.ts";
import { type Change, type Outside, outside } from "./outside.ts";
import { parametersOf } from "./parameters.ts";
import { StripeRefusal, serverError } from "./refusal.ts";
import {
  type Event,
  type Resource,
  type ResourceName,
  type ResourceOf,
  shown,
  type WebhookEndpoint,
} from "./resources.ts";
import { ownNetworkId } from "./shared-tokens.ts";
import { allOf, type Draft, draftOn, emptyStore, putInto, type Store, stripeId } from "./store.ts";

export type ApiRequest = {
  readonly method: string;
  readonly path: string;
  /** The query of a GET, the body of a POST. */
  readonly form: string;
  readonly authorization: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** The connected account that the call acts for. */
  readonly account: string | undefined;
  /** The `Stripe-Version` that the client asks for. */
  readonly version: string | undefined;
};

/** What the client gets: an answer, a closed connection, or nothing at all. */
export type Outcome =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: "drop" }
  | { readonly kind: "hang" };

/** One line of the list of requests. */
export type SeenRequest = {
  readonly at: number;
  readonly request_id: string;
  readonly method: string;
  readonly path: string;
  readonly operation: string | null;
  readonly params: Form;
  readonly idempotency_key: string | null;
  readonly replayed: boolean;
  readonly status: number;
};

type Line =
  | {
      readonly kind: "request";
      readonly request: SeenRequest;
      readonly key?: string;
      readonly kept?: Kept;
      readonly objects: readonly Resource[];
    }
  | { readonly kind: "objects"; readonly objects: readonly Resource[] }
  | { readonly kind: "keys_forgotten"; readonly objects: readonly [] };

export type AccountDeps = {
  readonly journal: Journal;
  readonly failures: Failures;
  readonly clock: Clock;
  readonly wait: (ms: number) => Promise<void>;
  /** Where the sandbox is, once it listens. */
  readonly origin: () => string;
  /** Called with every event once it is durable. */
  readonly publish: (event: Event) => void;
  /** Accepts only this secret key; any test key when absent. */
  readonly secretKey?: string;
  /** By which agents know this seller, beside the `internal` of test mode. */
  readonly networkId?: string;
};

const networkIdsOf = ({ networkId }: AccountDeps): readonly string[] =>
  networkId === undefined ? [ownNetworkId] : [networkId, ownNetworkId];

/** One Stripe account in test mode: its objects, its idempotency keys, its log of requests. */
export type Account = Outside & {
  handle(request: ApiRequest): Promise<Outcome>;
  /** Takes over what a journal says; used once, at start. */
  restore(lines: readonly unknown[]): void;
  /** All objects of a kind, oldest first. */
  all<N extends ResourceName>(object: N): ResourceOf<N>[];
  requests(): readonly SeenRequest[];
  /** Forgets all idempotency keys, as Stripe may after 24 h. */
  forgetKeys(): Promise<void>;
  addEndpoint(of: { url: string; secret?: string | undefined }): Promise<WebhookEndpoint>;
};

const requestsMax = 10_000;

export function createAccount(deps: AccountDeps): Account {
  const store = emptyStore();
  const keys = noKeys();
  const requests: SeenRequest[] = [];
  const nowS = (): number => toNumericDate(deps.clock.now());

  const remember = (request: SeenRequest): void => {
    requests.push(request);
    if (requests.length > requestsMax) requests.shift();
  };
  const commit = async (line: Line): Promise<void> => {
    apply(store, keys, line);
    await deps.journal.append(line);
    for (const object of line.objects) if (object.object === "event") deps.publish(object);
  };
  const change: Change = async (work) => {
    const draft = draftOn(store, {
      now: nowS(),
      origin: deps.origin(),
      requestId: stripeId("req"),
      idempotencyKey: null,
      account: null,
      networkIds: networkIdsOf(deps),
    });
    const made = work(draft);
    await commit({ kind: "objects", objects: draft.changes() });
    return made;
  };

  return {
    handle: (request) => handle({ ...deps, store, keys, nowS, remember, commit }, request),
    restore: (lines) => {
      // The journal holds only lines that this type was written from.
      for (const line of lines as readonly Line[]) {
        apply(store, keys, line);
        if (line.kind === "request") remember(line.request);
      }
    },
    all: (object) => allOf(store, object),
    requests: () => requests,
    forgetKeys: () => commit({ kind: "keys_forgotten", objects: [] }),
    addEndpoint: async ({ url, secret }) => {
      const known = allOf(store, "webhook_endpoint").find((it) => it.url === url);
      if (known !== undefined && (secret === undefined || known.secret === secret)) return known;
      return change((draft) => newEndpoint(draft, { url, ...(secret === undefined ? {} : { secret }) }));
    },
    ...outside(change),
  };
}

function apply(store: Store, keys: Keys, line: Line): void {
  for (const object of line.objects) putInto(store, object);
  if (line.kind === "keys_forgotten") keys.kept.clear();
  if (line.kind === "request" && line.key !== undefined && line.kept !== undefined)
    keys.kept.set(line.key, line.kept);
}

type Context = AccountDeps & {
  readonly store: Store;
  readonly keys: Keys;
  readonly nowS: () => number;
  readonly remember: (request: SeenRequest) => void;
  readonly commit: (line: Line) => Promise<void>;
};

type Routed = {
  readonly request: ApiRequest;
  readonly account: string | null;
  readonly id: string;
  readonly operation: Operation;
  readonly ids: readonly string[];
  readonly form: Form;
  readonly failure: FailureSwitch | undefined;
};

async function handle(context: Context, request: ApiRequest): Promise<Outcome> {
  const id = stripeId("req");
  try {
    const account = callerOf(request, { ...context, byId: context.store.byId });
    const found = operationAt(request.method, request.path);
    if (found === undefined)
      throw new StripeRefusal(
        404,
        {
          type: "invalid_request_error",
          message: `Unrecognized request URL (${request.method}: ${request.path}).`,
        },
        false,
      );
    const { operation, ids } = found;
    const failure = context.failures.take({
      method: request.method,
      path: request.path,
      operation: operation.name,
    });
    if (failure?.action === "drop_request") return { kind: "drop" };
    if (failure?.action === "hang_request") return { kind: "hang" };
    const answer = await run(context, {
      request,
      account,
      id,
      operation,
      ids,
      form: decodeForm(request.form),
      failure,
    });
    if (failure?.action === "drop_answer") return { kind: "drop" };
    return failure?.action === "hang" ? { kind: "hang" } : answer;
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error;
    return answerOf(error.status, errorBody(error, id), { "request-id": id });
  }
}

async function run(context: Context, routed: Routed): Promise<Outcome> {
  const { request, account, failure } = routed;
  const given = request.method === "POST" ? request.idempotencyKey : undefined;
  const call =
    given === undefined
      ? undefined
      : {
          key: keyWithin(account, given),
          fingerprint: fingerprintOf(request.method, request.path, routed.form),
        };
  try {
    const kept =
      call && keptAnswer(context.keys, call.key, { fingerprint: call.fingerprint, now: context.nowS() });
    if (call !== undefined && kept !== undefined)
      return await replay(context, routed, { key: call.key, kept });
    if (call !== undefined) context.keys.running.add(call.key);
    try {
      if (failure?.action === "delay_ms") await context.wait(failure.delay_ms ?? 0);
      return await execute(context, routed, call);
    } finally {
      if (call !== undefined) context.keys.running.delete(call.key);
    }
  } catch (error) {
    if (error instanceof StripeRefusal) note(context, routed, { status: error.status, replayed: false });
    throw error;
  }
}

async function replay(
  context: Context,
  routed: Routed,
  { key, kept }: { key: string; kept: Kept },
): Promise<Outcome> {
  // The first answer may still be on its way to the disk.
  await context.journal.settled();
  note(context, routed, { status: kept.status, replayed: true });
  return answerOf(kept.status, kept.body, {
    "request-id": routed.id,
    "original-request": kept.requestId,
    "idempotent-replayed": "true",
    "idempotency-key": routed.request.idempotencyKey ?? key,
  });
}

function note(
  context: Context,
  { request, id, operation, form }: Routed,
  how: { status: number; replayed: boolean },
): SeenRequest {
  const seen: SeenRequest = {
    at: context.nowS(),
    request_id: id,
    method: request.method,
    path: request.path,
    operation: operation.name,
    params: form,
    idempotency_key: request.idempotencyKey ?? null,
    ...how,
  };
  context.remember(seen);
  return seen;
}

/** Runs an operation and makes it durable before anything is answered. */
async function execute(
  context: Context,
  routed: Routed,
  as?: { key: string; fingerprint: string },
): Promise<Outcome> {
  const { request, account, id, failure } = routed;
  const draft = draftOn(context.store, {
    now: context.nowS(),
    origin: context.origin(),
    requestId: id,
    idempotencyKey: request.idempotencyKey ?? null,
    account,
    networkIds: networkIdsOf(context),
  });
  const { status, body } =
    failure?.action === "error_500" ? failed(serverError(), id) : outcomeOf(draft, routed);
  const seen = note(context, routed, { status, replayed: false });
  if (request.method !== "GET") {
    const kept: Kept | undefined = as && {
      fingerprint: as.fingerprint,
      status,
      body,
      requestId: id,
      at: context.nowS(),
    };
    await context.commit({
      kind: "request",
      request: seen,
      ...(as === undefined || kept === undefined ? {} : { key: as.key, kept }),
      objects: draft.changes(),
    });
  } else await context.journal.settled();
  return answerOf(status, body, {
    "request-id": id,
    ...(as === undefined ? {} : { "idempotency-key": request.idempotencyKey ?? as.key }),
    ...(status >= 500 ? { "stripe-should-retry": "false" } : {}),
  });
}

function outcomeOf(
  draft: Draft,
  { request, operation, ids, form, failure, id }: Routed,
): { status: number; body: string } {
  const { expand, ...rest } = form;
  const parameters = parametersOf(rest);
  const forced =
    failure?.action === "decline"
      ? { forced: { declineCode: failure.decline_code ?? "generic_decline" } }
      : {};
  try {
    const made = operation.run({ draft, parameters, path: ids, version: request.version, ...forced });
    if (failure?.action === "error_500_after_effect") return failed(serverError(), id);
    const body = JSON.stringify(
      expanded(draft, made, expand),
      failure?.action === "late_booking" ? unbooked : shown,
    );
    return { status: 200, body };
  } catch (error) {
    // What failed before execution leaves nothing behind: no object, and nothing kept for the key.
    if (error instanceof StripeRefusal && error.executed) return failed(error, id);
    throw error;
  }
}

const unbooked = (name: string, value: unknown): unknown =>
  name.endsWith("balance_transaction") ? null : value;

const failed = (error: StripeRefusal, id: string): { status: number; body: string } => ({
  status: error.status,
  body: errorBody(error, id),
});

const errorBody = (error: StripeRefusal, requestId: string): string =>
  JSON.stringify({
    error: { ...error.facts, request_log_url: `https://dashboard.stripe.com/test/logs/${requestId}` },
  });

const answerOf = (status: number, body: string, headers: Readonly<Record<string, string>>): Outcome => ({
  kind: "answer",
  status,
  body,
  headers: { "content-type": "application/json", ...headers },
});
