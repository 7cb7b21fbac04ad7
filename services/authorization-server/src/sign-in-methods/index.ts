export { type MethodsSection, signInMethodPages } from "./sign-in-methods.http.ts";
