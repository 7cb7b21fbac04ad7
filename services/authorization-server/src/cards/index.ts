export { type AgentCard, cardOfAgent, publicNameOf, signCard } from "./card.ts";
export { type CardDeps, cardRoutes } from "./cards.http.ts";
