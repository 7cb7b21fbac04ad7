export { type Kms, type KmsLogin, type KmsOptions, openKms } from "./kms.ts";
export { type KmsKekOptions, kmsKek } from "./kms-kek.ts";
export { kmsSigners } from "./kms-signers.ts";
export { type AwsCredentials, signedHeaders } from "./sigv4.ts";
