export { didOfAgent, didOfServer } from "./did.ts";
export { didRoutes } from "./dids.http.ts";
export { didDocumentOfAgent } from "./dids.ts";
export { type PublishedAgent, publishedAgent } from "./published-agent.ts";
