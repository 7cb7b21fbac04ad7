export { signerOf } from "./wallet.ts";
