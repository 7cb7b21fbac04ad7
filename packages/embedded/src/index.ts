export { StartRefused } from "@remit/platform/host";
export { type DevFile, readDevFile } from "./dev-file.ts";
export { logsAt, runEmbedded } from "./foreground.ts";
export { runningIn } from "./instance.ts";
export { type Answers, createPerson, type PageSeen, type Person, type Walk } from "./person.ts";
export { freePortBase, originOf, type Ports, portBaseDefault, portsOf } from "./ports.ts";
export { demoOffer } from "./seed.ts";
export { type Embedded, type StartOptions, startEmbedded } from "./start.ts";
