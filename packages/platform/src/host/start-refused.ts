/** Why a service cannot start, and what to do about it. Shown to the operator without a stack. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
  readonly remedy: string;

  constructor(what: string, remedy: string, options?: ErrorOptions) {
    super(what, options);
    this.remedy = remedy;
  }
}
