export { actFor } from "./acting.ts";
export { invitationPages } from "./invitation.http.ts";
export { membershipPages, membershipRoute } from "./memberships.http.ts";
