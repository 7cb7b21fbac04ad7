import { type Clock, type Moment, momentOf, msSince, secondMs } from "@remit/kernel";
import { type Hex, Problem, type SignedIn } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { textDigest } from "@remit/rails/wallet";
import { type Chain, ChainAway } from "@remit/rails/x402";

/** Whether the contract at the address of a text says that its signature is its own (ERC-1271), on the chain that the text names. */
export type ContractJudge = (signed: SignedIn) => Promise<boolean>;

export type ContractJudgeDeps = {
  readonly chainOn: (network: string) => Chain | undefined;
  readonly clock: Clock;
};

// Whoever is not let in may ask: so many questions are on their way to nodes at once, and no more.
const askingMax = 16;
// A yes is asked for each time: a wallet may change its keys in any block. A no, somebody may repeat for nothing.
const noLastsMs = 10 * secondMs;
const noesMax = 1000;
const signatureBytesMax = 4096;
/** ERC-6492: what a contract will say once it is there. */
const notYetThere = /6492649264926492649264926492649264926492649264926492649264926492$/;

export function createContractJudge({ chainOn, clock }: ContractJudgeDeps): ContractJudge {
  const noes = new Map<string, Moment>();
  let asking = 0;
  return async ({ signIn, text, signature }) => {
    const chain = chainOn(signIn.chainId);
    if (chain === undefined || !isHex(signature)) return false;
    if (notYetThere.test(signature)) throw notDeployed();
    const key = sha256b64url(JSON.stringify([signIn.chainId, signIn.address.toLowerCase(), text, signature]));
    const no = noes.get(key);
    if (no !== undefined && msSince(no, clock) < noLastsMs) return false;
    if (asking >= askingMax) throw new Problem("unavailable", { headers: { "Retry-After": "1" } });
    asking += 1;
    try {
      const address = signIn.address.toLowerCase() as Hex; // the grammar of the text has 0x and 40 hex digits
      if (await chain.isValidSignature(address, textDigest(text), signature)) return true;
      if (noes.size >= noesMax) noes.clear();
      noes.set(key, momentOf(clock));
      return false;
    } catch (error) {
      if (!(error instanceof ChainAway)) throw error;
      throw new Problem("unavailable", { headers: { "Retry-After": "2" }, cause: error });
    } finally {
      asking -= 1;
    }
  };
}

const isHex = (text: string): text is Hex =>
  text.length <= 2 + 2 * signatureBytesMax && /^0x(?:[0-9a-fA-F]{2})+$/.test(text);

const notDeployed = (): Problem =>
  new Problem("sign_in_invalid", {
    detail: "The wallet is not on its chain yet (ERC-6492): deploy it, and sign in as it.",
  });
