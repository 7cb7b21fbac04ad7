export { signUpPages } from "./sign-up.http.ts";
