import type { Letter } from "@remit/platform/mail";

type To = { readonly to: string };

const signature = "\n\nRemit\n";

const written = ({ to }: To, subject: string, paragraphs: readonly string[]): Letter => ({
  to,
  subject,
  text: paragraphs.join("\n\n") + signature,
});

const ignore = "If you did not ask for this, do nothing: without the code nothing happens.";
const notYou =
  "If this was not you, sign in, look at your sign-in methods and end the sessions you do not know.";

/** Its tenant chose the name: it is seen as a name, and holds no address to click. */
const quoted = (provider: string): string => `“${provider.replace(/[:/.]+/g, " ").trim()}”`;

/**
 * What we write to people. Never a link to click in a hurry: a code is typed where it was asked for. The link of an
 * invitation leads to a page that lets in nobody but the signed-in owner of the address.
 */
export const letters = {
  signUpCode: (who: To & { code: string }): Letter =>
    written(who, "Your code for Remit", [
      `Your code is ${who.code}`,
      "Type it on the page that asked for it, within 15 minutes.",
      ignore,
    ]),
  signUpKnown: (who: To): Letter =>
    written(who, "You have an account at Remit", [
      "Somebody, perhaps you, tried to create an account with this address. There is one already.",
      "Go back and sign in. If you cannot, choose “I cannot sign in” on that page.",
    ]),
  recoveryCode: (who: To & { code: string }): Letter =>
    written(who, "Your code to get back into Remit", [
      `Your code is ${who.code}`,
      "Type it on the page that asked for it, within 15 minutes. Nobody from Remit will ever ask you for it.",
      ignore,
    ]),
  recoveryUnknown: (who: To): Letter =>
    written(who, "No account at Remit with this address", [
      "Somebody, perhaps you, tried to get back into an account with this address. There is none.",
      "Perhaps you signed up with another address of yours.",
    ]),
  confirmCode: (who: To & { code: string }): Letter =>
    written(who, "Your code for a new sign-in method", [
      `Your code is ${who.code}`,
      "Type it on the page that asked for it, within 15 minutes. It lets you add a second way to show that it is you.",
      ignore,
    ]),
  invitation: (who: To & { organization: string; code: string; issuer: string }): Letter =>
    written(who, "You are invited to an organization at Remit", [
      `${quoted(who.organization)} asks you to join it. Sign in to Remit with this address, creating an account if you have none, and accept the invitation here:`,
      `${who.issuer}/account/invitation?code=${who.code}`,
      "Or type its code on the page of your organizations:",
      who.code,
      "It is good for seven days. If you do not know who asks, do nothing.",
    ]),
  webhookDisabled: (who: To & { name: string; because: "gone" | "failing" }): Letter =>
    written(who, "A webhook of yours was turned off", [
      who.because === "gone"
        ? `The receiver of your webhook “${who.name}” answered that it is gone (410), so we send nothing there any more.`
        : `Your webhook “${who.name}” has answered nothing well for five days, so we send nothing there any more.`,
      "When its receiver is well again, turn the webhook on. What was not delivered can be sent anew from its log.",
    ]),
  linkedBy: (who: To & { provider: string }): Letter =>
    written(who, "Your sign-in to Remit was changed", [
      `${quoted(who.provider)} was linked to your account, because it says that this address is yours. Whoever it says you are can sign in as you from now on.`,
      notYou,
    ]),
  madeBy: (who: To & { provider: string }): Letter =>
    written(who, "You have an account at Remit", [
      `An account was made for this address, because ${quoted(who.provider)} says that it is yours. You sign in with it.`,
      "If this was not you, choose “I cannot sign in” on the sign-in page: whoever has this mailbox takes the account back, and what was linked to it is unlinked.",
    ]),
  changed: (who: To & { what: string }): Letter =>
    written(who, "Your sign-in to Remit was changed", [who.what, notYou]),
} as const;

/** What was changed, in a sentence, for `letters.changed`. */
export const changes = {
  passkeyAdded: "A passkey was added to your account.",
  passkeyRenamed: "A passkey of your account was given another name.",
  passkeyRemoved: "A passkey was removed from your account.",
  passkeyCopied:
    "A passkey of yours was used in a way that suggests a copy of it: its counter ran backwards. We refused it. Remove it and add a new one.",
  identityLinked: "A way to sign in elsewhere was linked to your account. It can sign you in from now on.",
  identityUnlinked: "A way to sign in elsewhere was unlinked from your account.",
  passwordChanged: "Your password was changed.",
  passwordRemoved: "Your password was removed. You sign in with a passkey.",
  appAdded: "An authenticator app was added to your account.",
  appRemoved: "The authenticator app was removed from your account.",
  recoveryCodesMade: "New recovery codes were made. The former ones no longer work.",
  recoveryCodeUsed: "A recovery code was used to sign in.",
  recovered:
    "Somebody got back into your account with a code from this mailbox. All other sessions were ended, and so was the access that applications had without you. Other passkeys, the former recovery codes and what was linked to sign in elsewhere were removed, the authenticator app unless it was used just then, and the password unless a new one was set. The mandates of your agents are suspended: look at each before you resume it.",
} as const;
