export { noticesRoute } from "./notices.http.ts";
export { noticeJobs } from "./notices.jobs.ts";
export { createNotices, type Notices, type PersonNotices } from "./notices.ts";
export { createPushSender, pushKeyOf } from "./web-push.ts";

/** The tables of this room, by the kind of protection each has: ids, digests and ciphertext. */
export const noticeTables = {
  notice_people: "global",
  notice_devices: "global",
  notices: "global",
  notice_deliveries: "global",
} as const;
