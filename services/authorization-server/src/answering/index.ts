export { answeringPages } from "./answering.http.ts";
