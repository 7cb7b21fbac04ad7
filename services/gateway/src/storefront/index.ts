export { type StorefrontDeps, storefront } from "./storefront.http.ts";
