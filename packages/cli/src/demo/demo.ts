import { type Agent, createAgent, type Paid } from "@remit/agent";
import type { DevFile } from "@remit/embedded";
import type { JsonObject, Receipt } from "@remit/protocol";
import type { LedgerCheck } from "@remit/protocol/contracts";
import { verifyReceipt } from "@remit/protocol/node";
import { type AuditReport, readAuditReport } from "../audit.ts";
import { readLedgerCheck } from "../ledger.ts";
import { bad, good, print, printJson } from "../output.ts";
import { keepKeys } from "../receipts/index.ts";
import { getJson, withInstance } from "../running/index.ts";
import { version, type Where } from "../where.ts";
import { type Consent, consentByDemoPrincipal, consentByYou } from "./browser.ts";
import { seedLife } from "./life/index.ts";
import { createStory, type Step, type Story } from "./story.ts";

/** Everything one purchase left behind. */
type Outcome = {
  readonly ok: boolean;
  readonly version: string;
  readonly paid_url: string;
  readonly agent: { readonly client_id: string };
  readonly mandate: { readonly id: string };
  readonly charge: JsonObject;
  readonly goods: { readonly status: number; readonly content_type: string | null; readonly body: string };
  readonly receipt: string;
  readonly receipt_claims: Receipt;
  readonly ledger: LedgerCheck;
  readonly audit: AuditReport;
  readonly steps: readonly Step[];
};

/** One purchase from end to end, with every message: what `remit demo` shows. */
export const demo = (
  options: Where & { readonly headed?: boolean; readonly seed?: boolean },
): Promise<void> => (options.seed === true ? seedLife(options) : playOnce(options));

const playOnce = (options: Where & { readonly headed?: boolean }): Promise<void> =>
  withInstance(options, async (dev) => {
    const aloud = options.json !== true;
    const consent = options.headed === true ? await consentByYou(dev) : consentByDemoPrincipal(dev);
    try {
      const outcome = await play({ dev, consent, story: createStory(aloud), dataDir: options.dataDir });
      if (!aloud) printJson(outcome);
      else
        print(
          outcome.ok
            ? good(
                `\nBought, paid, proven. Check it yourself: npx remit verify ${outcome.receipt.slice(0, 24)}…\n\n${outcome.receipt}`,
              )
            : bad("\nSomething does not add up: see above."),
        );
      if (!outcome.ok) process.exitCode = 1;
    } finally {
      consent.close();
    }
  });

type Scene = {
  readonly dev: DevFile;
  readonly consent: Consent;
  readonly story: Story;
  readonly dataDir: string;
};

async function play(scene: Scene): Promise<Outcome> {
  const { dev, story } = scene;
  const agent = createAgent({
    issuer: dev.issuer,
    clientId: dev.agent.client_id,
    keys: { assertion: dev.agent.assertion_jwk, dpop: dev.agent.dpop_jwk },
    observe: (message) => story.hear(message),
  });
  const mandateId = await askForMandate(scene, agent);
  const { paid, body } = await buy(scene, agent);
  const { charge: chargeId, receipt } = paid;
  if (chargeId === undefined || receipt === undefined)
    throw new Error(`the paid page answered ${paid.response.status}: ${body.slice(0, 500)}`);
  const audit = await readAuditReport(dev);
  await tellTheMoney(scene, chargeId);
  const charge = await agent.charge(chargeId);
  const { issuer, keys } = await keepKeys(scene.dataDir, dev.issuer);
  const receiptClaims = verifyReceipt(receipt, { issuer, keys });
  story.tell("receipt", `signed by ${receiptClaims.iss}; it verifies offline`);
  const ledger = await readLedgerCheck(dev);
  story.tell(
    "ledger balanced",
    `${ledger.balanced ? "yes" : "NO"}: ${ledger.entries_checked} entries, ${ledger.accounts_checked} accounts`,
  );
  story.tell(
    "audit verified",
    `${audit.verified ? "yes" : `NO: ${audit.reason}`}: ${audit.checked_count} entries recomputed here`,
  );
  return {
    ok: ledger.balanced && audit.verified && charge["status"] === "captured" && paid.response.ok,
    version,
    paid_url: dev.paid_url,
    agent: { client_id: dev.agent.client_id },
    mandate: { id: mandateId },
    charge,
    goods: { status: paid.response.status, content_type: paid.response.headers.get("content-type"), body },
    receipt,
    receipt_claims: receiptClaims,
    ledger,
    audit,
    steps: story.steps,
  };
}

async function askForMandate({ dev, consent, story }: Scene, agent: Agent): Promise<string> {
  await agent.tokenFor(dev.merchant.origin);
  story.tell("agent identified", `${dev.agent.client_id}, by its key, with a token bound to another`);
  const pending = await agent.requestMandate({
    resource: dev.merchant.origin,
    redirectUri: consent.redirectUri,
    details: {
      type: "oid4ac_mandate",
      currency: "USD",
      amount_minor: 5000,
      per_charge_minor: 2000,
      merchants: [dev.merchant.origin],
      purpose: "Market reports for this week",
    },
  });
  story.tell("mandate requested", "at most 50.00 USD, 20.00 each, at this merchant only");
  const { callbackUrl, pages } = await consent.answer(pending.authorizeUrl);
  const mandate = await pending.complete(callbackUrl);
  const asked = pages.at(-1)?.text;
  story.tell(
    "consent given",
    asked === undefined ? "in your browser" : `the page said: ${asked.slice(0, 400)}`,
  );
  return mandate.id;
}

async function buy({ dev, story }: Scene, agent: Agent): Promise<{ paid: Paid; body: string }> {
  const unpaid = await fetch(dev.paid_url);
  const response = {
    status: unpaid.status,
    headers: Object.fromEntries(unpaid.headers),
    body: await unpaid.text(),
  };
  story.hear({ step: "ask", request: { method: "GET", url: dev.paid_url, headers: {} }, response });
  story.tell("402", `without payment the page answers ${unpaid.status}`);
  const paid = await agent.fetch(dev.paid_url);
  const body = await paid.response.clone().text();
  story.tell(
    "presentation",
    `the mandate, bound to this offer and this merchant, in one header; answer ${paid.response.status}`,
  );
  return { paid, body };
}

const momentOf: Readonly<Record<string, string>> = {
  "charge.held": "hold",
  "charge.authorized": "upstream",
  "charge.captured": "capture",
};

const wordsOf: Readonly<Record<string, string>> = {
  hold: "the budget is held before anybody is asked for money",
  upstream: "the card is authorised, so the merchant serves the page to the gateway",
  capture: "the page is whole, so the money moves; only now it is delivered",
};

/** What happened behind the gateway, read from the log that was written while it happened. */
async function tellTheMoney({ dev, story }: Scene, chargeId: string): Promise<void> {
  const log = await getJson(dev, dev.issuer, `/api/v1/audit?limit=1000&subject=${chargeId}`);
  const entries: readonly unknown[] = Array.isArray(log["data"]) ? log["data"] : [];
  for (const [event, step] of Object.entries(momentOf)) {
    const entry = entries.find(
      (one) =>
        typeof one === "object" &&
        one !== null &&
        Reflect.get(one, "event") === event &&
        Reflect.get(one, "subject") === chargeId,
    );
    if (entry === undefined) continue;
    story.tell(
      step,
      `${wordsOf[step] ?? ""} (${event}, entry ${String(Reflect.get(Object(entry), "seq"))} of the log)`,
    );
  }
}
