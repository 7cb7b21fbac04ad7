export { createInbox, lettersIn } from "./inbox.ts";
export { changes, letters } from "./letters.ts";
export { mailJobs } from "./mail.jobs.ts";
export { createPost, type Letter, type MailEngine, type Post } from "./mail.ts";
export { createMailedCodes, type MailedCode, type MailedCodes, type Sending } from "./mailed-codes.ts";
export { createSmtp, type SmtpSettings } from "./smtp.ts";
