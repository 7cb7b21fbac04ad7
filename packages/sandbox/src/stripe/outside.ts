import { settleIn } from "./balance.ts";
import { failRefund } from "./charges.ts";
import { payAt } from "./checkout.ts";
import { type AccountStanding, onboard, standAccount } from "./connect-accounts.ts";
import { finishSetUp, setUpByHolder } from "./customers.ts";
import { type Disputing, decideDispute, disputeCharge } from "./disputes.ts";
import { confirmedByHolder } from "./payment-intents.ts";
import { type PayingOut, payOut } from "./payouts.ts";
import { noSuch } from "./refusal.ts";
import type {
  AccountLink,
  CheckoutSession,
  ConnectedAccount,
  Dispute,
  DisputeStatus,
  PaymentIntent,
  Payout,
  Refund,
  Settling,
  SetupIntent,
  SharedToken,
  Subscription,
  SubscriptionStatus,
} from "./resources.ts";
import { type Grant, grant } from "./shared-tokens.ts";
import { type Draft, find } from "./store.ts";
import { renew, standAs } from "./subscriptions.ts";

/** What people and agents do at Stripe without this seller's key. */
export type Outside = {
  /** Somebody pays at the page of a session, with a test card. */
  payCheckout(session: string, method: string): Promise<CheckoutSession>;
  /** A subscription comes to stand otherwise: a payment failed, or it ended. */
  standAs(subscription: string, status: SubscriptionStatus): Promise<Subscription>;
  /** A subscription goes on to its next period, which is paid for. */
  renew(subscription: string): Promise<Subscription>;
  /** An agent grants this seller a token. */
  grant(of: Grant): Promise<SharedToken>;
  /** A merchant gives its particulars at the page of an account link. */
  onboard(
    link: string,
    standing?: AccountStanding,
  ): Promise<{ account: ConnectedAccount; link: AccountLink }>;
  /** What Stripe comes to think of a connected account. */
  standAccount(account: string, standing: AccountStanding): Promise<ConnectedAccount>;
  /** In which currency the platform's balance is kept, and at which rates others are converted to it from now on. */
  settleIn(of: Pick<Settling, "currency" | "rates">): Promise<Settling>;
  /** Stripe pays a balance out to its owner's bank. */
  payOut(of: PayingOut): Promise<Payout>;
  /** The cardholder's bank disputes what was captured of a payment. */
  dispute(paymentIntent: string, how: Disputing): Promise<Dispute>;
  /** What the card network makes of a dispute. */
  decide(dispute: string, status: DisputeStatus): Promise<Dispute>;
  /** The cardholder's bank sends back a refund that had succeeded. */
  failRefund(refund: string, reason: string): Promise<Refund>;
  /** The cardholder confirms a setup that waits for it. */
  authenticate(setupIntent: string): Promise<SetupIntent>;
  /** What a holder does with a secret in Stripe's own form: saves a card, or confirms a payment. False when it is declined. */
  confirmAsHolder(secret: string, method: string): Promise<boolean>;
  /** The cardholder confirms a payment that waits for it, at the issuer. */
  authenticatePayment(paymentIntent: string): Promise<PaymentIntent>;
};

const waits = ["requires_payment_method", "requires_confirmation", "requires_action"];

function confirmAsHolder(draft: Draft, secret: string, method: string): boolean {
  const id = secret.split("_secret_")[0] ?? "";
  const setup = find(draft, "setup_intent", id);
  if (setup?.client_secret === secret && waits.includes(setup.status))
    return setUpByHolder(draft, setup, method);
  const intent = find(draft, "payment_intent", id);
  if (intent?.client_secret !== secret || confirmedByHolder(draft, intent) === undefined)
    throw noSuch("setup or payment that waits for its cardholder", id);
  return true;
}

function subscriptionOf(draft: Draft, id: string): Subscription {
  const found = find(draft, "subscription", id);
  if (found === undefined) throw noSuch("subscription", id);
  return found;
}

/** Makes what happened durable. */
export type Change = <T extends object>(work: (draft: Draft) => T) => Promise<T>;

export const outside = (change: Change): Outside => ({
  confirmAsHolder: async (secret, method) =>
    (await change((draft) => ({ done: confirmAsHolder(draft, secret, method) }))).done,
  grant: (of) => change((draft) => grant(draft, of)),
  dispute: (id, how) =>
    change((draft) => {
      const charge = find(draft, "charge", find(draft, "payment_intent", id)?.latest_charge ?? "");
      if (charge === undefined) throw noSuch("payment that was captured", id);
      return disputeCharge(draft, charge, how);
    }),
  decide: (id, status) => change((draft) => decideDispute(draft, id, status)),
  failRefund: (id, reason) => change((draft) => failRefund(draft, id, reason)),
  onboard: (link, standing) => change((draft) => onboard(draft, link, standing)),
  settleIn: (of) => change((draft) => settleIn(draft, of)),
  standAccount: (id, standing) => change((draft) => standAccount(draft, id, standing)),
  payOut: (of) => change((draft) => payOut(draft, of, draft.booked(of.account ?? null))),
  payCheckout: (id, method) => change((draft) => payAt(draft, id, method)),
  standAs: (id, status) => change((draft) => standAs(draft, subscriptionOf(draft, id), status)),
  renew: (id) => change((draft) => renew(draft, subscriptionOf(draft, id))),
  authenticatePayment: (id) =>
    change((draft) => {
      const intent = find(draft, "payment_intent", id);
      const held = intent && confirmedByHolder(draft, intent);
      if (held === undefined) throw noSuch("payment that waits for its cardholder", id);
      return held;
    }),
  authenticate: (id) =>
    change((draft) => {
      const intent = find(draft, "setup_intent", id);
      if (intent?.status !== "requires_action") throw noSuch("setupintent that waits for its cardholder", id);
      return finishSetUp(draft, intent);
    }),
});
