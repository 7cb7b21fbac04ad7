export { type AgentCard, cardOfAgent, publicNameOf, type SignedCard, signCard } from "./card.ts";
export { type CardDeps, cardRoutes } from "./cards.http.ts";
