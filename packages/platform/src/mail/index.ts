export { lettersIn } from "./inbox.ts";
export type { Letter, MailEngine } from "./letter.ts";
export { mailEngine, mailSettings, smtpOf } from "./mail.ts";
export { afterTrouble, type SmtpSettings } from "./smtp.ts";
