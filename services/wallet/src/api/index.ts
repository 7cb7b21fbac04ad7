export { type AnswerTo, type Api, type ApiDeps, apiOf, type Refusal, type Result } from "./api.ts";
export { type EndpointName, endpoints, type Service } from "./endpoints.ts";
export { createAccessTokens } from "./tokens.ts";
