export { signerOf, textDigest } from "./wallet.ts";
