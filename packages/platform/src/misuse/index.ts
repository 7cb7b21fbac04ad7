export { createMisuses, type KeyMismatch, type Misuses } from "./misuse.ts";
