export { type Client, type ClientKind, clientById, type Clients, type ClientsDeps, createClients } from "./clients.ts";
export { registrationRoutes } from "./registration.http.ts";
export { setupTokenRoutes } from "./setup-tokens.http.ts";
