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
export { createKeptCodes, type KeptCodes } from "./kept-codes.http.ts";
export { createMailedStep, type MailedStepPages } from "./mailed-step.http.ts";
export {
  accountBegun,
  checkNewPasskey,
  choosePassword,
  placeOf,
  type Refused,
  textOfRefusal,
} from "./steps.ts";
export { back, nameOf, newWayIn, said, type WaysIn } from "./views.ts";
