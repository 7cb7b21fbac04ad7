export { type Conversation, createConversation, limit, members, Uid } from "./conversation.ts";
export { createEnrolment, type Enrolment } from "./enrolment.http.ts";
export { createKeptCodes, type KeptCodes } from "./kept-codes.http.ts";
export { signInPages, textOfRefusal } from "./sign-in.http.ts";
export { mailedCodePage, refusedCode } from "./step-views.ts";
export { nameOf } from "./views.ts";
