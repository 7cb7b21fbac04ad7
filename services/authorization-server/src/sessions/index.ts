export {
  endOwnSession,
  endSessionsOf,
  endSessionWithin,
  lockSessionsOf,
  lockSessionWithin,
  requireSession,
  type Why,
} from "./ending.ts";
export { logoutJobs } from "./logout.jobs.ts";
export { sessionRoutes } from "./sessions.http.ts";
export { sessionJobs } from "./sessions.jobs.ts";
export { createSessions, type Seen, type Sessions, type SessionView } from "./sessions.operations.ts";
export {
  absoluteMs,
  deviceOf,
  type Ending,
  endsOf,
  idleMs,
  type Session,
  sidFor,
  sidOf,
  type Whereabouts,
} from "./sessions.ts";

/** The tables of this room, by the kind of protection each has. */
export const sessionTables = { sessions: "tenant" } as const;
