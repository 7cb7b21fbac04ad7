export { createActingTokens } from "./acting.ts";
export {
  type AnswerTo,
  type Api,
  type ApiDeps,
  apiOf,
  approvalNews,
  type News,
  type OrganizationAnswer,
  type OrganizationApi,
  organizationApiOf,
  /** @public */
  problemOf,
  type Refusal,
  type Result,
} from "./api.ts";
export { endpoints } from "./endpoints.ts";
export { organizationEndpoints } from "./organization-endpoints.ts";
export { createAccessTokens } from "./tokens.ts";
