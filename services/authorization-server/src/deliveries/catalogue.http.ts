import { type Route, route } from "@remit/platform/http";
import { eventTypeNames, eventTypes } from "@remit/protocol";
import { dataSchemaOf, EventCatalogue, WebhookPayload } from "@remit/protocol/contracts";
import { z } from "zod";
import { aliasOf } from "../webhooks/index.ts";

type Catalogue = z.input<typeof EventCatalogue>;

/** A JSON Schema is JSON, which the types of what makes it do not say. */
const schemaOf = (schema: z.ZodType): Catalogue["envelope"] =>
  z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) as Catalogue["envelope"];

const catalogue = (): Catalogue => ({
  envelope: schemaOf(WebhookPayload),
  data: eventTypeNames.map((type) => ({
    type,
    alias: aliasOf(type) ?? null,
    version: eventTypes[type].version,
    schema: schemaOf(dataSchemaOf(type)),
  })),
});

/** What there is to be told of. Made when it is first asked for, and the same for everybody. */
export function catalogueRoute(): Route {
  let made: Catalogue | undefined;
  return route({
    method: "GET",
    path: "/api/v1/webhooks/events",
    summary: "Every kind of event that webhooks may be told of, with its JSON Schema",
    needs: { scope: ["webhooks:read", "webhooks:write"], bearer: true },
    answers: { 200: EventCatalogue },
    handle: () => ({ status: 200, body: (made ??= catalogue()) }),
  });
}
