export { checkMerchantNonce, makeMerchantNonce, merchantNonceMs, type NoncePlace } from "./merchant-nonce.ts";
