export { signInMethodPages } from "./sign-in-methods.http.ts";
