export { type Paid, type PayingDeps, payingFetch } from "./fetch.ts";
export { createSpending, type SpendLimits } from "./limits.ts";
export { type Pause, pause } from "./pause.ts";
export { createSellers } from "./sellers.ts";
