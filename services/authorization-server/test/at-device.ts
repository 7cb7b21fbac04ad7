import { type Browser, formOf, type Page } from "./browser.ts";
import { principal } from "./running.ts";

/** No redirect leads here, so that every one is followed. */
export const nowhere = "http://nowhere.example/";

/** Types the code as a person does, in any spelling, and comes to the page after it. */
export async function typeCodeAt(issuer: string, browser: Browser, code: string): Promise<Page> {
  const page = await browser.open(`${issuer}/device`, nowhere);
  const { action, fields } = formOf(page);
  return browser.open(action, nowhere, { ...fields, user_code: code });
}

type AtDevice = {
  readonly issuer: string;
  readonly browser: Browser;
  readonly code: string;
  readonly who?: Readonly<Record<"email" | "password", string>>;
};

/** Through code, confirmation and sign-in to the consent page. */
export async function consentAtDevice({ issuer, browser, code, who = principal }: AtDevice): Promise<Page> {
  const first = formOf(await typeCodeAt(issuer, browser, code));
  const page = await browser.open(first.action, nowhere, { ...first.fields, confirm: "yes" });
  const { action, fields } = formOf(page);
  if (!("password" in fields)) return page;
  return browser.open(action, nowhere, { ...fields, email: who.email, password: who.password });
}

export async function decide(browser: Browser, consent: Page, decision: "approve" | "deny"): Promise<Page> {
  const { action, fields } = formOf(consent);
  return browser.open(action, nowhere, { ...fields, decision });
}
