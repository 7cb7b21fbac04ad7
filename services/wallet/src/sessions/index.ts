export { forgetOldSessions } from "./sessions.jobs.ts";
export {
  createSessions,
  type NewSession,
  type Person,
  type PortalSession,
  type Sessions,
  type Tokens,
} from "./sessions.ts";
