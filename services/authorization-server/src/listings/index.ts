export { directoryAt } from "./directory.ts";
export { listingJobs } from "./listings.jobs.ts";
export { listingTables } from "./listings.ts";
