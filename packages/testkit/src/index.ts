export {
  kmsCredentials,
  type SandboxChain,
  sandboxAddresses,
  sandboxKeys,
  sandboxTokens,
  vaultCredentials,
} from "@remit/sandbox";
export {
  type ApiAnswer,
  type ApiClient,
  type ApiInput,
  type ApiRequest,
  type ApiSend,
  apiClient,
} from "./api-client.ts";
export { type ApiDocument, type ApiOperation, readApiDocument } from "./api-document.ts";
export {
  addAuthenticator,
  type BrowserContext,
  expectAccessible,
  openBrowser,
  type Page,
  type TestBrowser,
  type VirtualAuthenticator,
  type VirtualCredential,
  type Visit,
} from "./browser.ts";
export { checkCatalogue, type TableKind, type Tables } from "./catalogue.ts";
export { testChain } from "./chain.ts";
export { chainFacilitator, mined, wantedOf } from "./chain-facilitator.ts";
export { accelerateTime, jumpTime, type TestClock, testClock } from "./clock.ts";
export { type TestDatabase, type TestDatabaseOptions, testDatabase } from "./database.ts";
export { eventually } from "./eventually.ts";
export { checkKeys } from "./keys.ts";
export { type Cel, type Definition, type FakeKubernetes, fakeKubernetes } from "./kubernetes/index.ts";
export { freePort, isFreePort, sliceOfPorts } from "./ports.ts";
export { type StartProcess, startProcess, type TestProcess } from "./process.ts";
export {
  type IntentAtSandbox,
  type RefundAtSandbox,
  type SandboxFailure,
  type SeenAtSandbox,
  switchesOf,
  type TestSandbox,
  testSandbox,
} from "./sandbox.ts";
export { scratchFolder } from "./scratch.ts";
export { type TlsFront, tlsFront } from "./tls-front.ts";
export { type SignedPayment, signPermit, signTransfer, type TransferChanges } from "./transfer.ts";
