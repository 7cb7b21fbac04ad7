export { followTrail, noteMade, noteOnTrail, offTrail, type Trail } from "./trail.ts";
