export { followOutbox } from "./follow.ts";
export { isAfter, outboxRowsOf, type Position, type Recorded } from "./outbox.sql.ts";
export {
  deferToOutbox,
  isOutboxRead,
  outboxChannel,
  outboxEnd,
  type ReadOutbox,
  readOutbox,
  recordToOutbox,
  trimOutbox,
  unreadForS,
} from "./outbox.ts";
