export {
  outboxChannel,
  type ReadOutbox,
  readOutbox,
  recordAllToOutbox,
  recordToOutbox,
  trimOutbox,
} from "./outbox.ts";
