export { accountPages } from "./account.http.ts";
export { type Door, forSignedIn, senderOf } from "./door.ts";
export { accountPage, backTo, type Destination, type Outcome, places, ShownAfter } from "./frame.ts";
export { moment } from "./moments.ts";
