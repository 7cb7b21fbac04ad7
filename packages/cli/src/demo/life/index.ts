export { fillWithLife, seedLife } from "./seed.ts";
