/** A refusal as it is shown: what happened and what helps, in the person's language, with what support asks for. */
export type Told = {
  readonly code: string;
  readonly said: string;
  readonly remedy: string;
  readonly detail?: string;
  readonly requestId: string;
};
