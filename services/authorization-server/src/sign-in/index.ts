export { signInPages } from "./sign-in.http.ts";
