import type { Id } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { clientById } from "./clients.ts";

/** As its owner wrote it; nobody verified it. An agent is never forgotten. */
export const nameOfAgent = async (db: Database, id: Id<"agent">): Promise<string> =>
  (await clientById(db, id))?.name ?? id;
