export { createLive, type Ended, type Live, type Watching } from "./live.ts";
