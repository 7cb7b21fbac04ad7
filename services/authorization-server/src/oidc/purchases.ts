import { type Id, type Instant, invariant, parseId, secondMs } from "@remit/kernel";
import { Problem, parsePurchaseDetails } from "@remit/protocol";
import type { Accounts } from "../accounts/index.ts";
import type { Approval, Approvals } from "../approvals/index.ts";
import {
  type BackchannelRequest,
  type ClientEntity,
  type Ctx,
  errors,
  type Payload,
  tooMany,
} from "./seam.ts";

/** What asking about a purchase needs (OpenID CIBA Core 1.0, poll and ping). */
export type PurchaseDeps = {
  readonly accounts: Pick<Accounts, "identify">;
  readonly approvals: Pick<Approvals, "waitingFor" | "follow">;
};

/** The purchase that a request is about, from where its details were checked to where it is put. */
const about = new WeakMap<Ctx, Approval>();

export const purchaseAskedIn = (ctx: Ctx): Approval | undefined => about.get(ctx);

const nothingWaits = (): Error =>
  new errors.InvalidAuthorizationDetails("No purchase of yours waits for an answer under this charge_id.");

/** What a request about a purchase may not have: nothing but the answer comes of it. */
export function guardPurchase(
  route: string,
  body: Readonly<Record<string, unknown>>,
  details: unknown,
): void {
  chargeIn(details);
  if (route !== "backchannel_authentication")
    throw new errors.InvalidAuthorizationDetails("A purchase is asked about at the backchannel alone.");
  if (body["scope"] !== "openid" || body["resource"] !== undefined)
    throw new errors.InvalidRequest(
      "Ask for the scope openid and for no resource: a yes is for this purchase.",
    );
}

function chargeIn(details: unknown): Id<"charge"> {
  try {
    return parsePurchaseDetails(details);
  } catch (error) {
    if (error instanceof Problem) throw new errors.InvalidAuthorizationDetails(error.detail ?? error.code);
    throw error;
  }
}

/** The purchase has to be the agent's own and to wait; whose it is tells nobody who exists (A18). */
export const validatePurchase =
  ({ approvals }: PurchaseDeps) =>
  async (ctx: Ctx, detail: Payload, client: ClientEntity): Promise<void> => {
    if (ctx.oidc.route !== "backchannel_authentication")
      throw new errors.InvalidAuthorizationDetails("A purchase is asked about at the backchannel alone.");
    const charge = chargeIn(detail);
    const agent = parseId("agent", client.clientId);
    const waiting = agent && (await approvals.waitingFor({ charge, agent }));
    if (waiting === undefined) throw nothingWaits();
    about.set(ctx, waiting);
  };

/** Whom the purchase waits for, if the hint names exactly them; whoever else it names is nobody. */
export async function payerNamed(
  { accounts }: Pick<PurchaseDeps, "accounts">,
  { principal }: Approval,
  hint: string,
): Promise<Id<"account"> | undefined> {
  const known = hint.length > 254 ? undefined : await accounts.identify(hint);
  return known?.id === principal ? principal : undefined;
}

/** The request ends with the question, whatever was asked for. */
export const secondsLeft = ({ expiresAt }: { expiresAt: Instant }, now: Instant): number =>
  Math.max(1, Math.floor((expiresAt - now) / secondMs));

/** From here on the answer, wherever it is given, is told to this request. */
export async function followPurchase(
  { approvals }: Pick<PurchaseDeps, "approvals">,
  ctx: Ctx,
  { request, waiting }: { request: BackchannelRequest; waiting: Approval },
): Promise<void> {
  const { tenant, agent, subject } = waiting;
  invariant(subject.kind !== "mandate", "a purchase is no mandate");
  const bindingMessage = request.params["binding_message"];
  const question = { request: request.jti, ...(bindingMessage === undefined ? {} : { bindingMessage }) };
  try {
    if (!(await approvals.follow(tenant, { charge: subject.charge, agent, question }))) throw nothingWaits();
  } catch (error) {
    if (error instanceof Problem && error.code === "rate_limited") throw tooMany(ctx, error);
    throw error;
  }
}
