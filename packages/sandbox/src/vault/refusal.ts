/** What Vault refuses with: `{"errors": [message]}`. */
export class VaultRefusal extends Error {
  override readonly name = "VaultRefusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
