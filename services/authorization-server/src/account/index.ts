export { accountPages } from "./account.http.ts";
