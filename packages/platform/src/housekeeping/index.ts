export { keepHouse } from "./housekeeping.jobs.ts";
