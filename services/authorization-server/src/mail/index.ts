export { changes, letters } from "./letters.ts";
export { mailJobs } from "./mail.jobs.ts";
export { createPost, type Post } from "./mail.ts";
export { createMailedCodes, type MailedCode, type MailedCodes, type Sending } from "./mailed-codes.ts";
