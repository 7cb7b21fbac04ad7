import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { eventually, expectAccessible, type Page } from "@remit/testkit";
import { expect } from "vitest";

/** How a person reaches what is on a page. */
export type Hands = {
  press(target: Wanted): Promise<void>;
  fill(target: Wanted, text: string): Promise<void>;
};
type Wanted = ReturnType<Page["locator"]>;

/** With a mouse, or a finger. */
export const pointer: Hands = {
  press: (target) => target.click(),
  fill: (target, text) => target.fill(text),
};

const tabsMax = 80;

/** With the keyboard alone: what Tab does not reach is not there. */
export function keyboard(page: Page): Hands {
  const reach = async (target: Wanted): Promise<void> => {
    await target.waitFor();
    const isFocused = (): Promise<boolean> =>
      target.evaluate((element) => element === element.ownerDocument.activeElement);
    for (let tabs = 0; !(await isFocused()); tabs++) {
      if (tabs === tabsMax) throw new RangeError(`no Tab leads to ${String(target)}`);
      await page.keyboard.press("Tab");
    }
  };
  return {
    press: async (target) => {
      await reach(target);
      await page.keyboard.press("Enter");
    },
    fill: async (target, text) => {
      await reach(target);
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.type(text);
    },
  };
}

const launcher = path.resolve(import.meta.dirname, "../../tools/remit.mjs");

export type Ran = { readonly code: number | null; readonly said: string };

/** `npx remit …`, as a program of its own. */
export function remit(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return new Promise((resolve, reject) =>
    child.once("error", reject).once("close", (code) => resolve({ code, said })),
  );
}

/** Where the journey is made. */
export type Journey = {
  readonly page: Page;
  readonly hands: Hands;
  readonly wallet: string;
  readonly paidUrl: string;
  /** Of the instance, whose letters are files. */
  readonly dataDir: string;
  /** Where the agent keeps its keys. */
  readonly agentDir: string;
  readonly email: string;
};

async function codeMailedTo({ dataDir, email }: Journey): Promise<string> {
  const inbox = path.join(dataDir, "authorization-server/mail");
  return eventually(async () => {
    const names = (await readdir(inbox).catch(() => [])).filter((name) => name.endsWith(".eml"));
    const letters = await Promise.all(names.map((name) => readFile(path.join(inbox, name), "utf8")));
    const mine = letters.find((letter) => letter.includes(`To: ${email}`));
    const code = /\b([0-9A-Z]{5}-[0-9A-Z]{5})\b/.exec(mine ?? "")?.[1];
    if (code === undefined) throw new RangeError("no letter yet");
    return code;
  });
}

/** A new person, with a passkey and nothing else. */
export async function signUp(journey: Journey): Promise<void> {
  const { page, hands, wallet } = journey;
  await page.goto(wallet);
  await hands.press(page.getByRole("link", { name: "Sign in" }));
  await hands.press(page.getByRole("link", { name: "Create an account" }));
  await hands.fill(page.getByLabel("Your name"), "Grace");
  await hands.fill(page.getByLabel("E-mail"), journey.email);
  await hands.press(page.getByRole("button", { name: "Continue" }));
  await hands.fill(page.getByLabel("Code from the letter"), await codeMailedTo(journey));
  await hands.press(page.getByRole("button", { name: "Continue" }));
  await hands.press(page.getByRole("button", { name: "Create a passkey" }));
  await hands.press(page.getByRole("button", { name: "I have kept them" }));
  await hands.press(page.getByRole("button", { name: "Allow" }));
  await page.waitForURL(`${wallet}/`);
  await page.getByText("No agent may spend anything yet.").waitFor();
}

/** A card, and an agent that registers itself by the command that the page shows. */
export async function setUp({ page, hands, agentDir }: Journey): Promise<void> {
  await hands.press(page.getByRole("link", { name: "Payment methods" }));
  await hands.press(page.getByRole("button", { name: "Save this card" }));
  await page.getByText("Visa ···· 4242 is saved.").waitFor();
  await hands.press(page.getByRole("link", { name: "Agents", exact: true }));
  await hands.press(page.getByRole("link", { name: "Set up an agent" }));
  await hands.fill(page.getByLabel("What do you call it?"), "Reading agent");
  await hands.press(page.getByRole("button", { name: "Make the token" }));
  const command = (await page.locator("#command").textContent()) ?? "";
  expect(command).toMatch(/^npx remit agent setup \S+ --issuer http\S+$/);
  await page.getByText("Waiting for Reading agent …").waitFor();
  await hands.press(page.getByRole("button", { name: "Copy" }));
  await page.getByRole("button", { name: "Copied" }).waitFor();
  expect(await page.evaluate("navigator.clipboard.readText()")).toBe(command);
  await hands.press(page.getByText("Show it as a QR code"));
  await page.getByRole("img", { name: "The command as a QR code" }).waitFor();
  await expectAccessible(page);
  expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
  const ran = await remit(...command.split(" ").slice(2), "--data-dir", agentDir);
  expect(ran.code, ran.said).toBe(0);
  await page.getByText("Reading agent is here.").waitFor();
}

/** By words; the sentence says what it will allow while it is written. */
export async function giveMandate({ page, hands }: Journey): Promise<void> {
  await hands.press(page.getByRole("link", { name: "Give a mandate" }));
  await hands.fill(page.getByLabel("At most, in all"), "50.00");
  await hands.fill(page.getByLabel("At most for one purchase (optional)"), "20.00");
  await hands.fill(page.getByLabel("What for, in your words (optional)"), "Reports for the briefing");
  await page
    .getByText(/Reading agent may spend up to \$50\.00 until .*, at most \$20\.00 at a time\./)
    .waitFor();
  await hands.press(page.getByRole("button", { name: "Give it" }));
  await page.getByRole("heading", { level: 1 }).getByText("$50.00").waitFor();
}

/** The page is open and nobody touches it: the purchase comes to it. */
export async function seePurchase(journey: Journey): Promise<void> {
  const { page, hands, wallet } = journey;
  await hands.press(page.getByRole("link", { name: "Home", exact: true }));
  await page.waitForURL(`${wallet}/`);
  await page.getByText("of $50.00 that you allowed").waitFor();
  const ran = await remit("pay", journey.paidUrl, "--data-dir", journey.agentDir);
  expect(ran.code, ran.said).toBe(0);
  expect(ran.said).toContain("Paid: charge chg_");
  await page.getByText("$10.00 spent").waitFor();
  await page
    .getByRole("link", { name: /^localhost:/ })
    .first()
    .waitFor();
}

/** The person wants to be asked from now on; the next purchase waits, the question comes to the open page, and a yes lets it go on. */
export async function approveOne(journey: Journey): Promise<void> {
  const { page, hands, wallet } = journey;
  await hands.press(page.getByRole("link", { name: "Reading agent" }).first());
  await hands.press(page.getByRole("button", { name: "Allow less" }));
  await hands.fill(page.getByLabel("Ask me above (USD)"), "5.00");
  await hands.press(page.getByRole("button", { name: "Allow less" }).last());
  await page.getByText("It allows less from now on.").waitFor();
  const buying = remit("pay", journey.paidUrl, "--reason", "For chapter 3", "--data-dir", journey.agentDir);
  await hands.press(page.getByRole("link", { name: "An agent asks you something" }));
  await page.getByText("It is above what this agent may spend without asking.").waitFor();
  await page.getByText("For chapter 3").waitFor();
  const question = page.url();
  await hands.press(page.getByRole("link", { name: "Approve with your passkey" }));
  await hands.press(page.getByRole("button", { name: /passkey/i }));
  await hands.press(page.getByRole("link", { name: "Back to your wallet" }));
  await page.waitForURL(question);
  await page.getByText("Approved").waitFor();
  const ran = await buying;
  expect(ran.code, ran.said).toBe(0);
  expect(new URL(question).origin).toBe(wallet);
}

/** Hashes and signatures, recomputed by the browser. */
export async function checkReceipt({ page, hands }: Journey): Promise<void> {
  await hands.press(page.getByRole("link", { name: "The purchase" }));
  await hands.press(page.getByRole("button", { name: "Check it in this browser" }));
  await page.getByText("The receipt holds.").waitFor();
  expect(await page.locator("li.holds").count()).toBe(5);
}

/** One tap, and the next purchase is refused. */
export async function freeze(journey: Journey): Promise<void> {
  const { page, hands } = journey;
  await hands.press(page.getByRole("link", { name: "Agents", exact: true }));
  await hands.press(page.getByRole("button", { name: /^Freeze ?: Reading agent/ }));
  await page.getByText("It is frozen.").waitFor();
  const ran = await remit("pay", journey.paidUrl, "--data-dir", journey.agentDir);
  expect(ran.code).toBe(1);
  expect(ran.said).toContain("agent_frozen");
}

export async function walk(journey: Journey): Promise<void> {
  await signUp(journey);
  await setUp(journey);
  await giveMandate(journey);
  await seePurchase(journey);
  await approveOne(journey);
  await checkReceipt(journey);
  await freeze(journey);
}
