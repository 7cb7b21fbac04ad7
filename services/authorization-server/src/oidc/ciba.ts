import {
  type Clock,
  fromNumericDate,
  type Id,
  type Instant,
  invariant,
  parseId,
  toNumericDate,
} from "@remit/kernel";
import { Problem, parseMandateRequest, readJson } from "@remit/protocol";
import type { Accounts } from "../accounts/index.ts";
import type { Approvals, MandateSubject } from "../approvals/index.ts";
import { type AskableDeps, askable } from "./askable.ts";
import { followPurchase, type PurchaseDeps, payerNamed, purchaseAskedIn } from "./purchases.ts";
import {
  type BackchannelRequest,
  type ClientEntity,
  type Ctx,
  errors,
  resourceServersOf,
  tooMany,
} from "./seam.ts";

export type CibaDeps = AskableDeps & {
  readonly clock: Clock;
  readonly accounts: Pick<Accounts, "byId">;
  readonly approvals: Pick<Approvals, "ask" | "approve"> & PurchaseDeps["approvals"];
  readonly mandates: AskableDeps["mandates"] & {
    automaticFor(
      tenant: Id<"tenant">,
      asked: Pick<Question, "principal" | "agent"> & {
        readonly request: MandateSubject["request"];
        now: Instant;
      },
    ): Promise<Id<"mandate"> | undefined>;
  };
};
type Question = {
  readonly principal: Id<"account">;
  readonly agent: Id<"agent">;
  readonly subject: MandateSubject;
};

const bindingMessageMax = 64;
// What is the same on every screen and cannot be taken for another character or for markup (CIBA §7.1).
const bindingMessagePattern = /^[A-Za-z0-9][A-Za-z0-9 .,:;#/+\-_!?'()]*$/;
const detailsBytesMax = 16_384;
export const requestedExpiryMaxS = 600;

/** OpenID CIBA Core 1.0, poll and ping, for mandates and for purchases that wait: what the core asks of us. */
export const cibaFeature = (deps: CibaDeps): object => ({
  enabled: true,
  deliveryModes: ["poll", "ping"],
  processLoginHint: (ctx: Ctx, hint: string) => personOf(deps, ctx, hint),
  // Refused before, in words; the core would call this only if that had gone.
  processLoginHintToken: async () => undefined,
  verifyUserCode: async (ctx: Ctx, account: { accountId: string }) => {
    // Whom an ID token names must be one the agent may ask as well, just as if it had named the account itself.
    if (ctx.oidc.params["id_token_hint"] === undefined) return;
    if ((await personOf(deps, ctx, account.accountId)) === undefined)
      throw new errors.UnknownUserId("could not identify end-user");
  },
  validateBindingMessage: async (_: Ctx, message: string | undefined) => checkBindingMessage(message),
  validateRequestContext: async (_: Ctx, context: unknown) => {
    if (context !== undefined) throw new errors.InvalidRequest("request_context is not supported");
  },
  triggerAuthenticationDevice: (ctx: Ctx, request: BackchannelRequest, account: { accountId: string }) =>
    ask(deps, ctx, { request, accountId: account.accountId }),
});

/** What a request may not have, said before anybody is looked for: a refusal that came later would tell who exists. */
export function guardBackchannel(body: Readonly<Record<string, unknown>>): void {
  if (body["login_hint_token"] !== undefined)
    throw new errors.InvalidRequest("login_hint_token is not supported, use login_hint");
  if (body["user_code"] !== undefined) throw new errors.InvalidRequest("user_code is not supported");
}

/** Short and plain, so that a person can compare it with what the agent shows. */
export function checkBindingMessage(message: string | undefined): void {
  if (message === undefined) return;
  if (message.length > bindingMessageMax || !bindingMessagePattern.test(message))
    throw new errors.InvalidBindingMessage(
      `binding_message has 1 to ${bindingMessageMax} letters, digits, spaces or marks of .,:;#/+-_!?'()`,
    );
}

function agentOf({ remit_kind, clientId, remit_tenant }: ClientEntity): {
  agent: Id<"agent">;
  agentTenant: Id<"tenant">;
} {
  const agent = parseId("agent", clientId);
  const agentTenant = parseId("tenant", remit_tenant);
  if (remit_kind !== "agent" || agent === undefined || agentTenant === undefined)
    throw new errors.UnauthorizedClient("Only agents ask for mandates.");
  return { agent, agentTenant };
}

async function personOf(deps: CibaDeps, ctx: Ctx, hint: string): Promise<Id<"account"> | undefined> {
  const { client } = ctx.oidc;
  invariant(client !== undefined, "the client has authenticated before anybody is looked for");
  const waiting = purchaseAskedIn(ctx);
  if (waiting !== undefined) return payerNamed(deps, waiting, hint);
  return askable(deps, { hint, ...agentOf(client) });
}

/** Puts the question to the principal. The request is saved by now, and answers `authorization_pending`. */
async function ask(
  deps: CibaDeps,
  ctx: Ctx,
  { request, accountId }: { request: BackchannelRequest; accountId: string },
): Promise<void> {
  const waiting = purchaseAskedIn(ctx);
  if (waiting !== undefined) return followPurchase(deps, ctx, { request, waiting });
  const { client } = ctx.oidc;
  invariant(client?.remit_dpop_thumbprint !== undefined, "an agent has a registered DPoP key");
  const account = await deps.accounts.byId(accountId);
  if (account === undefined) throw new errors.UnknownUserId("could not identify end-user");
  const { params } = request;
  const read = readJson(params["authorization_details"] ?? "", detailsBytesMax);
  invariant("value" in read, "the details were parsed when they came");
  const question = {
    principal: account.id,
    ...agentOf(client),
    subject: subjectOf(deps, ctx, read.value),
    holderThumbprint: client.remit_dpop_thumbprint,
    question: { request: request.jti, bindingMessage: params["binding_message"] },
    sent: read.value,
    expiresAt: fromNumericDate(toNumericDate(deps.clock.now()) + request.expiration),
  };
  try {
    const id = await deps.approvals.ask(account.home, question);
    await answerBeforehand(deps, { tenant: account.home, id, question });
  } catch (error) {
    if (error instanceof Problem && error.code === "rate_limited") throw tooMany(ctx, error);
    throw error;
  }
}

/**
 * What the principal has said yes to beforehand is granted out of that standing mandate, as one below it: whatever is spent
 * under it is spent of that one too. What does not fit waits for an answer like any question.
 */
async function answerBeforehand(
  { approvals, mandates, clock }: CibaDeps,
  { tenant, id, question }: { tenant: Id<"tenant">; id: Id<"approval">; question: Question },
): Promise<void> {
  const { principal, agent, subject } = question;
  const { request } = subject;
  const auto = await mandates.automaticFor(tenant, { principal, agent, request, now: clock.now() });
  if (auto === undefined) return;
  try {
    await approvals.approve({ tenant, principal, id }, { account: principal, auto });
  } catch (error) {
    // It was changed meanwhile, or too much was handed on from it: then its principal is asked.
    if (!(error instanceof Problem)) throw error;
  }
}

function subjectOf({ clock }: CibaDeps, ctx: Ctx, details: unknown): MandateSubject {
  const asked = (ctx.oidc.params["scope"] ?? "").split(" ");
  const resources = Object.fromEntries(
    Object.entries(resourceServersOf(ctx)).map(([resource, { scopes }]) => [
      resource,
      asked.filter((scope) => scopes.has(scope)).join(" "),
    ]),
  );
  const request = parseMandateRequest(details, clock.now());
  return { kind: "mandate", request, resources, openid: asked.includes("openid") };
}
