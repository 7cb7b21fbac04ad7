export type { Cel } from "./schema.ts";
export { type Definition, type FakeKubernetes, fakeKubernetes } from "./server.ts";
