export { countFailure, mustPayFirst } from "./failures.ts";
