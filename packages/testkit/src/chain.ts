import { type SandboxChain, startChain } from "@remit/sandbox";

/** A chain of its own for a test, with nothing on it but what the sandbox puts there. */
export async function testChain(): Promise<SandboxChain> {
  const chain = await startChain({ port: 0 });
  if ("missing" in chain) throw new TypeError(chain.missing);
  return chain;
}
