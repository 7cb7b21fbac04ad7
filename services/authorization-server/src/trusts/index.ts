export { type AssertionDeps, examineAssertion } from "./assertion.ts";
export { confineRegistering } from "./confine.ts";
export { issueIdJag } from "./id-jag.ts";
export { jwtBearer } from "./jwt-bearer.ts";
export { policyRoutes } from "./policies.http.ts";
export { trustRoutes } from "./trusts.http.ts";
export { type Trust, trustTables } from "./trusts.ts";
export { workflowTokenRoute } from "./workflow-token.http.ts";
export { trustRegistered } from "./workflow-token.ts";
