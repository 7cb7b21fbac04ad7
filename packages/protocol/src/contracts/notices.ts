import { z } from "zod";
import { idOf, Timestamp } from "./values.ts";

/** What a principal may be told of. A question waits for an answer; captures and refunds move money. */
export const NoticeKind = z.enum(["question", "capture", "refund"]);
export type NoticeKind = z.infer<typeof NoticeKind>;

/** Something that a principal is told of, by ids alone: no amount and no name leaves the service that knows them. */
export const NoticeBody = z.strictObject({
  /** The event that it tells of: the same one is told of once. */
  id: idOf("event"),
  kind: NoticeKind,
  account: idOf("account"),
  /** The approval, or the charge. */
  subject: z.union([idOf("approval"), idOf("charge")]),
  at: Timestamp,
  /** Until when a question can be answered. */
  until: Timestamp.optional(),
});
export type NoticeBody = z.infer<typeof NoticeBody>;

/** POST /api/v1/notices at the wallet. `answered`: questions that wait no more, of which nobody is to be told. */
export const TellNotices = z.strictObject({
  notices: z.array(NoticeBody).max(500),
  answered: z.array(idOf("approval")).max(500),
  /** Accounts that are no more: everything of them is removed. */
  forgotten: z.array(idOf("account")).max(500).optional(),
});
export type TellNotices = z.infer<typeof TellNotices>;
