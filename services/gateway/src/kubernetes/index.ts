export { type ClusterAccess, openKubernetes } from "./client.ts";
export { type Controller, startController } from "./controller.ts";
