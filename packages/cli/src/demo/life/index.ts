export { seedLife } from "./seed.ts";
