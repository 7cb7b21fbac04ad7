export type { Attempt, SignInDeps } from "./answers.ts";
export { afterFirst } from "./second-factor.http.ts";
export { signInPages } from "./sign-in.http.ts";
export { type Offers, offerButtons } from "./views.ts";
