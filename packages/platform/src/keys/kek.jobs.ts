import type { Jobs } from "../jobs/index.ts";
import { type KekRotation, kekQueue } from "./kek-rotation.ts";

/** A rotation of the key-encryption key goes on until it is done, whoever began it and wherever that process ended. */
export const kekJobs = (jobs: Jobs, rotation: KekRotation): Jobs =>
  jobs.on(kekQueue, { handle: () => rotation.run(), concurrency: 1, attemptsMax: 1_000 });
