export {
  checkMerchantNonce,
  makeMerchantNonce,
  merchantNonceLength,
  merchantNonceMs,
  merchantNonces,
  type NoncePlace,
} from "./merchant-nonce.ts";
