export { type DevFile, readDevFile } from "./dev-file.ts";
export { runningIn } from "./instance.ts";
export { type Answers, createPerson, type PageSeen, type Person, type Walk } from "./person.ts";
export { originOf, type Ports, portBaseDefault, portsOf } from "./ports.ts";
export { demoOffer } from "./seed.ts";
export { type Embedded, type StartOptions, startEmbedded } from "./start.ts";
