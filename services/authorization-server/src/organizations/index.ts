export { createExports } from "./export.ts";
export { memberRoutes } from "./members.http.ts";
export { findMembership, type MembershipHere, tenantsOfMember, tenantsOfMembers } from "./members.sql.ts";
export { acceptInvitation, findInvitation, leaveWithin, type MemberDeps, removeMember } from "./members.ts";
export { organizationRoutes } from "./organizations.http.ts";
export { organizationJobs } from "./organizations.jobs.ts";
export { endPersonalOrganization, organizationsBelow, organizationTables } from "./organizations.ts";
