export { createKms, type Kms, kmsCredentials } from "./kms.ts";
