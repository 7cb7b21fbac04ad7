export { outboxChannel, type ReadOutbox, readOutbox, recordToOutbox, trimOutbox } from "./outbox.ts";
