export { type Enqueue, enqueue, jobsChannel } from "./enqueue.ts";
export type { Asking, Follower } from "./followers.ts";
export { createJobs, type Jobs, type JobsOptions } from "./jobs.ts";
export { pause } from "./pause.ts";
export type { Every } from "./schedules.ts";
export type { Again, Job, QueueOptions } from "./worker.ts";
