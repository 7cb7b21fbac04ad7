import { moneyOf, toDecimal } from "@remit/kernel";
import type { Account } from "./stripe/index.ts";

function totalOf(amountMinor: number, currency: string): string {
  const amount = moneyOf(amountMinor, currency);
  return amount === undefined ? `${currency} ${amountMinor} minor units` : `${currency} ${toDecimal(amount)}`;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (char) => `&#${char.codePointAt(0) ?? 0};`);

/** The page to which Checkout leads: here whoever tries things out pays with a test card, or goes back. */
export function checkoutPage(account: Account, id: string): string | undefined {
  const session = account.all("checkout.session").find((one) => one.id === id);
  if (session === undefined) return undefined;
  const total = totalOf(session.amount_total, session.currency.toUpperCase());
  const back =
    session.cancel_url === null ? "" : `<p><a href="${escaped(session.cancel_url)}">Cancel</a></p>`;
  const pay =
    session.status === "open"
      ? `<form method="post" action="/sandbox/checkout/${session.id}/pay"><button>Pay ${total}</button></form>${back}`
      : `<p>This session is ${session.status}.</p>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Checkout (sandbox)</title><h1>Checkout (sandbox)</h1>${pay}</html>`;
}

/** Where somebody goes who comes with a link that is no longer good: to where a new one is made. */
export function expiredLink(account: Account, link: string, nowS: number): string | undefined {
  const found = account.all("account_link").find((one) => one.id === link);
  return found !== undefined && found.expires_at <= nowS ? found._refresh_url : undefined;
}

/** The page to which an account link leads: here whoever tries things out gives a merchant's particulars. */
export function onboardingPage(account: Account, link: string): string | undefined {
  const found = account.all("account_link").find((one) => one.id === link);
  if (found === undefined) return undefined;
  const due = account.all("account").find(({ id }) => id === found.account)?.requirements.currently_due ?? [];
  const asks = due.length === 0 ? "" : `<p>Still due: ${due.map(escaped).join(", ")}</p>`;
  const button = (value: string, text: string): string =>
    `<p><button name="standing" value="${value}">${text}</button></p>`;
  const form = `${asks}<form method="post">${button("complete", `Give the particulars of ${found.account}`)}${button("more_due", "Give all but a document")}</form><p><a href="${escaped(found.return_url)}">Not now</a></p>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Connect (sandbox)</title><h1>Connect (sandbox)</h1>${form}</html>`;
}

const cards = [
  ["pm_card_visa", "Visa, ends in 4242"],
  ["pm_card_mastercard", "Mastercard, ends in 4444"],
  ["pm_card_authenticationRequired", "Visa whose issuer asks at every payment, ends in 3184"],
  ["pm_card_chargeDeclined", "A card that is declined"],
] as const;

/** The page at which a holder does what Stripe's own form would do with this secret: saves a card, or confirms a payment. */
export function confirmPage(account: Account, secret: string, failed: boolean): string | undefined {
  const setup = account.all("setup_intent").find((one) => one.client_secret === secret);
  const intent = account.all("payment_intent").find((one) => one.client_secret === secret);
  const object = setup ?? intent;
  if (object === undefined) return undefined;
  const title = setup === undefined ? "Your card's issuer asks (sandbox)" : "Save a card (sandbox)";
  const options = cards.map(([id, name]) => `<option value="${id}">${name}</option>`).join("");
  const choice = `<label>Card <select name="payment_method">${options}</select></label>`;
  const asks =
    intent === undefined
      ? `<p>${choice}</p><p><button>Save this card</button></p>`
      : `<p><button>Yes, pay ${totalOf(intent.amount, intent.currency.toUpperCase())}</button></p>`;
  const said = failed ? '<p role="alert">The issuer said no. Try another card.</p>' : "";
  const open = ["requires_payment_method", "requires_confirmation", "requires_action"].includes(
    object.status,
  );
  const body = open ? `${said}<form method="post">${asks}</form>` : `<p>Done: it is ${object.status}.</p>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><h1>${title}</h1>${body}</html>`;
}
