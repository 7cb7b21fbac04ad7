export { recoveryPages } from "./recovery.http.ts";
