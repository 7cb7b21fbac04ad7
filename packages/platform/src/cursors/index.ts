export { type Cursors, createCursors } from "./cursors.ts";
