/** What KMS refuses with: `{"__type": name, "message"}`. */
export class KmsRefusal extends Error {
  override readonly name = "KmsRefusal";
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}
