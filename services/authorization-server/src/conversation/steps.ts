import type { Id, Instant } from "@remit/kernel";
import type { PageCall } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import type { Account, Accounts, NewPassword } from "../accounts/index.ts";
import type { Proof } from "../assurance/index.ts";
import { type CheckedPasskey, deviceName, type Factors } from "../factors/index.ts";
import type { SignInAsked } from "../oidc/index.ts";

/** Where tickets and challenges of a conversation are good. */
export const placeOf = (call: PageCall, { uid }: Pick<SignInAsked, "uid">) => ({
  conversation: uid,
  now: call.now,
});

/** The account that a ticket names, unless its person got back in since it was made. */
export async function accountBegun(
  accounts: Pick<Accounts, "byId">,
  id: string,
  begun: Instant,
): Promise<Account> {
  const account = await accounts.byId(id, begun);
  if (account === undefined) throw new Problem("invalid_request", { detail: "Begin again." });
  return account;
}

/** What a person may know of a refusal; what is our fault goes on. */
export function textOfRefusal(error: unknown): string {
  if (error instanceof Problem && error.status < 500) return error.detail ?? "This did not work. Try again.";
  throw error;
}

/** A password that somebody chose, or what to say on the page where they choose another. */
export async function choosePassword(
  accounts: Pick<Accounts, "preparePassword">,
  text: string,
  account?: Id<"account">,
): Promise<NewPassword | Refused> {
  try {
    return await accounts.preparePassword(text, account);
  } catch (error) {
    return { refused: textOfRefusal(error), status: 400 };
  }
}

/** What a person is told on the page that they sent. */
export type Refused = { readonly refused: string; readonly status: number };

export type NewPasskeyGiven = {
  readonly asked: SignInAsked;
  readonly form: { readonly passkey: string; readonly response: string };
  readonly account: Id<"account">;
};

/** A passkey that was created in this conversation, and what its making proves. */
export async function checkNewPasskey(
  { passkeys }: Pick<Factors, "passkeys">,
  call: PageCall,
  { asked, form, account }: NewPasskeyGiven,
): Promise<{ readonly passkey: CheckedPasskey; readonly proof: Proof }> {
  const name = deviceName(call.header("user-agent"));
  const given = { ticket: form.passkey, response: form.response, name, account };
  const passkey = await passkeys.checkEnrolment(placeOf(call, asked), given);
  return { passkey, proof: { kind: "passkey", deviceBound: passkey.deviceBound, userVerified: true } };
}
