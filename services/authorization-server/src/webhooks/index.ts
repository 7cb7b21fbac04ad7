export { takesAny } from "./patterns.ts";
export { createWebhookSecrets, type WebhookSecrets } from "./secrets.ts";
export { webhookRoutes } from "./webhooks.http.ts";
export { type By, webhookById, webhookTables } from "./webhooks.ts";
