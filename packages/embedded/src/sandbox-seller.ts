import { sandboxAddresses } from "@remit/sandbox";

/** Where the sandbox's money may arrive when nobody says where. The key of the address is public: it is for play. */
export const sandboxSeller = {
  /** At the sandbox's Stripe. */
  stripeKey: "sk_test_remit_embedded",
  networkId: "profile_test_remit_seller",
  payTo: sandboxAddresses.seller,
} as const;
