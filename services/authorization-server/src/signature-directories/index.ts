export { signatureDirectoryRoutes } from "./directories.http.ts";
