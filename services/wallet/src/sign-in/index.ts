export { type Cookies, createCookies } from "./cookies.ts";
export { logoutRoute } from "./logout.http.ts";
export { forgetUnfinished } from "./pending.jobs.ts";
export { assertOwnForm, signInPages } from "./sign-in.http.ts";
export { createSignIns } from "./sign-in.ts";
