export { type Forwards, forwardMount, parseForwards } from "./forwards.ts";
