export { signatureDirectoryRoutes } from "./directories.http.ts";
export { handedOutMs, type SignedDirectory } from "./directory.ts";
