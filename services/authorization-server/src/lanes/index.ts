export { releaseLanes, renewLanes, takeLanes, takeNews, withoutSync } from "./lanes.sql.ts";
export {
  closeLane,
  type Lane,
  type Leased,
  lanesChannel,
  laneTables,
  openLane,
  signalsChannel,
  wakeLane,
  wakeLanes,
} from "./lanes.ts";
