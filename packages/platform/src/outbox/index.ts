export { outboxRowsOf, type Recorded } from "./outbox.sql.ts";
export {
  outboxChannel,
  type ReadOutbox,
  readOutbox,
  recordToOutbox,
  trimOutbox,
} from "./outbox.ts";
