export { type Paid, type PayingDeps, payingFetch } from "./fetch.ts";
export { createSpending, type SpendLimits } from "./limits.ts";
export { createSellers } from "./sellers.ts";
