export {
  type Conversation,
  createConversation,
  type Interrupt,
  limit,
  members,
  type Proven,
  ProvenAt,
  Uid,
} from "./conversation.ts";
export { createEnrolment, type Enrolment } from "./enrolment.http.ts";
export { createKeptCodes, type KeptCodes } from "./kept-codes.http.ts";
export { type Attempt, afterFirst, type SignInDeps, signInPages, textOfRefusal } from "./sign-in.http.ts";
export { mailedCodePage, refusedCode } from "./step-views.ts";
export { nameOf, type Offers, offerButtons } from "./views.ts";
