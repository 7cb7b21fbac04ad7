export { aliasOf, takesAny } from "./patterns.ts";
export { createWebhookSecrets, type WebhookSecrets } from "./secrets.ts";
export { byOf, webhookRoutes } from "./webhooks.http.ts";
export { type By, webhookById, webhookTables } from "./webhooks.ts";
