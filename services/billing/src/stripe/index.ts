export { customerOf } from "./customers.ts";
export type { News } from "./events.ts";
export { readSetup, type Setup, setUp } from "./setups.ts";
export { stripeRoutes } from "./stripe.http.ts";
