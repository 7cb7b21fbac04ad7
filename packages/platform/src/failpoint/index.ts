export { type Failpoint, failpoint, failpointOf, setFailpoint } from "./failpoint.ts";
