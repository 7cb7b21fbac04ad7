import type { Account } from "./stripe/index.ts";

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (char) => `&#${char.codePointAt(0) ?? 0};`);

/** The page to which Checkout leads: here whoever tries things out pays with a test card, or goes back. */
export function checkoutPage(account: Account, id: string): string | undefined {
  const session = account.all("checkout.session").find((one) => one.id === id);
  if (session === undefined) return undefined;
  const total = `${session.currency.toUpperCase()} ${(session.amount_total / 100).toFixed(2)}`;
  const back =
    session.cancel_url === null ? "" : `<p><a href="${escaped(session.cancel_url)}">Cancel</a></p>`;
  const pay =
    session.status === "open"
      ? `<form method="post" action="/sandbox/checkout/${session.id}/pay"><button>Pay ${total}</button></form>${back}`
      : `<p>This session is ${session.status}.</p>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Checkout (sandbox)</title><h1>Checkout (sandbox)</h1>${pay}</html>`;
}
