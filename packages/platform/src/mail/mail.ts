import { Secret } from "@remit/kernel";
import { z } from "zod";
import { createInbox } from "./inbox.ts";
import type { MailEngine } from "./letter.ts";
import { createSmtp, type SmtpSettings } from "./smtp.ts";

/** The settings of a service that writes to people. */
export const mailSettings = {
  REMIT_SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  REMIT_MAIL_FROM: z.string().max(320).default("Remit <remit@localhost>"),
};

export const smtpOf = (settings: {
  readonly REMIT_SMTP_URL?: string | undefined;
  readonly REMIT_MAIL_FROM: string;
}): { readonly smtp?: SmtpSettings } =>
  settings.REMIT_SMTP_URL === undefined
    ? {}
    : { smtp: { url: new Secret(settings.REMIT_SMTP_URL), from: settings.REMIT_MAIL_FROM } };

/** By SMTP where there is a server; else each letter is a file in `inbox`. */
export const mailEngine = (smtp: SmtpSettings | undefined, inbox: string): MailEngine =>
  smtp === undefined ? createInbox(inbox) : createSmtp(smtp);
