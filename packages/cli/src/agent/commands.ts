import type { Command } from "commander";
import { at } from "../command.ts";
import { failWith } from "../output.ts";
import type { PayWish } from "./pay.ts";
import type { SetupWish } from "./setup.ts";

/** `remit agent setup` and `remit pay`: an agent of a person's own, on this machine. */
export function addAgent(program: Command): void {
  const agent = program.command("agent").description("an agent of your own on this machine");
  at(agent.command("setup"))
    .description(
      "register an agent with the one-shot token that the portal shows; its keys stay on this machine",
    )
    .argument("<token>")
    .option("--issuer <origin>", "the authorization server; the one of the data directory otherwise")
    .option("--name <name>", "what it calls itself; your name for it otherwise")
    .option("--json", "print one object and nothing else")
    .action((token: string, options: SetupWish) =>
      failWith(async () => (await import("./setup.ts")).setup(token, options)),
    );
  at(program.command("pay"))
    .description(
      "fetch an address as the agent of this machine, and pay for it with a mandate that it was given",
    )
    .argument("<url>")
    .option("--reason <text>", "why, should its principal be asked; up to 300 characters")
    .option("--no-wait", "do not wait for a principal who is asked")
    .option("--json", "print one object and nothing else")
    .action((url: string, options: PayWish) =>
      failWith(async () => (await import("./pay.ts")).pay(url, options)),
    );
}
