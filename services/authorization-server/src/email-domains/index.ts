export { emailDomainRoutes } from "./email-domains.http.ts";
export { anyDomain, domainOf, emailDomainTables, tenantOfDomain } from "./email-domains.ts";
