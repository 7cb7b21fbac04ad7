export { forwardAuth } from "./forward-auth.http.ts";
export { storefront } from "./storefront.http.ts";
