export type { Authenticate, Authenticated, Credentials, Decide, Deed } from "./authenticate.ts";
export { readBody, readForm } from "./body.ts";
export { countedAddress } from "./caller-address.ts";
export { edgeOptions } from "./edge-options.ts";
export type { Follow, Followable, Followed, Outcome } from "./follow.ts";
export { createHttp, type Http } from "./http.ts";
export { versionIn } from "./if-match.ts";
export { onlyOperator, platformTenant } from "./operator.ts";
export type { ApiDocument, HttpOptions, Patience, ServerLimits } from "./options.ts";
export { resourceMetadataUrl } from "./protected-resource.ts";
export { type Counted, countAll } from "./rate-limit.ts";
export { type ResourceServerOptions, resourceServer } from "./resource-server.ts";
export {
  type Answer,
  type Answers,
  actorOf,
  type Call,
  type Caller,
  type CallOf,
  type Described,
  type Limit,
  type Method,
  type Mount,
  type Needs,
  nothing,
  type Page,
  type PageAnswer,
  type PageCall,
  page,
  type RawHandler,
  type RawPair,
  type Route,
  route,
  type TokenNeeds,
  type UpgradeCall,
} from "./route.ts";
export { setAside } from "./shed.ts";
