export { type ClockWatch, createClockWatch } from "./clock-watch.ts";
