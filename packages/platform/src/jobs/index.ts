export { type Enqueue, enqueue } from "./enqueue.ts";
export {
  createJobs,
  type Every,
  type Job,
  type Jobs,
  type JobsOptions,
  type QueueOptions,
} from "./jobs.ts";
