export { storefront } from "./storefront.http.ts";
