// By a name of the application: the types that are made of a page's load find no other room by its place.
export { triggersOf } from "../../../src/showing/index.ts";
