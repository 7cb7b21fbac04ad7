export { statusListRoutes } from "./status-lists.http.ts";
export {
  createStatusLists,
  type StatusEntry,
  type StatusLists,
  type StatusListsDeps,
} from "./status-lists.ts";

/** Entries carry a list, an index and a state, and nothing that leads to a mandate or a tenant. */
export const statusListTables = { status_lists: "global", status_entries: "global" } as const;
